"""Keys and the service from the command line."""

import json
from pathlib import Path

import pytest


def test_keys_are_made_listed_and_revoked(cli) -> None:
    made = cli("keys", "create", "--tenant", "acme", "--role", "viewer", "--journal", "j.db")
    key_id = made.out.split("_")[1]
    listed = json.loads(cli("keys", "list", "--json", "--journal", "j.db").out)
    assert (listed["key_id"], listed["tenant"], listed["role"], listed["state"]) == (
        key_id,
        "acme",
        "viewer",
        "in force",
    )
    assert "hash" not in listed
    assert cli("keys", "revoke", key_id, "--journal", "j.db").code == 0
    again = cli("keys", "revoke", key_id, "--journal", "j.db")
    assert (again.code, again.err) == (2, f"no key '{key_id}' is in force\n")


def test_without_keys_nothing_listens_where_others_could_ask(cli, tmp_path: Path) -> None:
    (tmp_path / "w.yaml").write_text("version: 1\nname: one\nnodes: {a: {code: '1'}}\n")
    refused = cli("serve", "w.yaml", "--host", "0.0.0.0", "--port", "0", "--journal", "j.db")
    assert refused.code == 2
    assert "no keys are configured" in refused.err
    assert "planloom keys create" in refused.err


def test_a_workflow_that_must_be_mended_is_told_before_anything_is_served(cli, tmp_path: Path) -> None:
    (tmp_path / "w.yaml").write_text("version: 1\nname: one\nnodes: {a: {code: '1', gaol: x}}\n")
    refused = cli("serve", "--port", "0", "--journal", "j.db")
    assert refused.code == 2
    assert "w.yaml:3" in refused.err


@pytest.mark.parametrize(
    ("url", "secret", "told"),
    [
        ("ftp://example.org/", "", "expected an http or https URL"),
        ("http://example.org/", "", "expected https"),
        ("https://127.0.0.1/hook", "", "is not a public address"),
        ("https://example.org/", "", "PLANLOOM_WEBHOOK_SECRET"),
        ("https://example.org/", "whsec_c2hvcnQ=", "24 to 64 random bytes"),
        ("https://example.org/", "whsec_?", "24 to 64 random bytes"),
    ],
)
def test_a_webhook_that_cannot_be_sent_is_told_before_anything_is_served(
    cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, secret: str, told: str
) -> None:
    monkeypatch.setenv("PLANLOOM_WEBHOOK_SECRET", secret)
    (tmp_path / "w.yaml").write_text("version: 1\nname: one\nnodes: {a: {code: '1'}}\n")
    refused = cli("serve", "w.yaml", "--port", "0", "--journal", "j.db", "--webhook", url)
    assert refused.code == 2
    assert told in refused.err
    assert not secret or secret not in refused.err
