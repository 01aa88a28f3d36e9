"""`planloom gc` says what it deleted."""

import json

import pytest

WORKFLOW = "version: 1\nname: one\nnodes: {a: {code: '1'}}\noutput: ${nodes.a.output}\n"


@pytest.fixture
def ran(cli, tmp_path) -> None:
    (tmp_path / "w.yaml").write_text(WORKFLOW)
    for _ in range(3):
        assert cli("run", "w.yaml").code == 0


def listed(cli) -> int:
    return len(json.loads(cli("runs", "--json").out))


def test_old_runs_are_listed_then_deleted(cli, ran, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cli("gc").out == "no run is old enough\n"
    assert cli("gc", "--older-than", "0", "--keep", "1", "--dry-run").out.startswith("would delete 2 runs\n  ")
    monkeypatch.setenv("PLANLOOM_RETENTION", "0")  # only what runs something deletes by policy
    assert listed(cli) == 3
    gone = json.loads(cli("gc", "--older-than", "0s", "--keep", "1", "--status", "done", "--json").out)
    assert (len(gone["runs"]), gone["in_use"], gone["dry_run"]) == (2, [], False)
    assert gone["rows"] > 8
    told = cli("gc", "--older-than", "0").out
    assert told.startswith("deleted 1 run, ")
    assert listed(cli) == 0


def test_a_bad_age_or_status_is_refused(cli) -> None:
    ran = cli("gc", "--older-than", "soon")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("command line: --older-than: expected seconds or a duration")
    assert cli("gc", "--status", "running").code == 2
