"""Keys and the service from the command line."""

import json
from pathlib import Path


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
