"""`explain --analyze` and `explain --json`: what was expected beside what came."""

import json
from pathlib import Path

FLOW = """
version: 1
name: pair
models:
  mini: {model: "rehearsal:mini", script: s.yaml, price: {input: 1, output: 1}}
  big: {model: "rehearsal:big", script: s.yaml, price: {input: 9, output: 9}}
route: {retry: 0}
nodes:
  word: {goal: Say a word, checks: [{expr: output == 'right'}]}
  loud: {code: w.upper(), with: {w: "${nodes.word.output}"}}
  side: {code: "1", needs: [word]}
output: ["${nodes.loud.output}", "${nodes.side.output}"]
"""
SCRIPT = "rehearsal: 1\nrules: [{when: {model: mini}, text: wrong}, {when: {model: big}, text: right}]\n"


def test_a_run_stands_beside_its_estimate_and_the_next_beside_what_the_first_took(cli, tmp_path: Path) -> None:
    (tmp_path / "w.yaml").write_text(FLOW)
    (tmp_path / "s.yaml").write_text(SCRIPT)
    assert cli("run", "w.yaml", "--json").code == 0
    first = json.loads(cli("explain", "--analyze", "last", "--json").out)
    said, was = first["nodes"]["word"]["expected"], first["nodes"]["word"]["actual"]
    assert (said["rung"], said["calls_low"], said["seconds"], said["known_attempts"]) == ("mini", 1, None, 0)
    assert (was["rung"], was["attempts"], was["calls"], was["state"]) == ("big", 2, 2, "done")
    assert said["usd_low"] < said["usd_high"]
    assert was["usd"] > 0
    assert first["critical_path"][0] == "word"
    assert was["critical"]
    assert abs(first["usd"] - was["usd"]) < 1e-9
    assert first["planner_usd"] < 1e-9
    assert cli("run", "w.yaml", "--json").code == 0
    second = json.loads(cli("explain", "--analyze", "last", "--json").out)
    assert second["nodes"]["loud"]["expected"]["known_attempts"] == 1
    assert second["nodes"]["loud"]["expected"]["seconds"] > 0
    shown = cli("explain", "--analyze", "last").out
    for part in ("REHEARSAL", "mini → big", "word", "critical", "expected"):
        assert part in shown


def test_explain_speaks_json(cli, tmp_path: Path) -> None:
    (tmp_path / "w.yaml").write_text(FLOW)
    (tmp_path / "s.yaml").write_text(SCRIPT)
    told = json.loads(cli("explain", "w.yaml", "--json").out)
    assert told["longest"][0] == "word"
    assert told["nodes"]["word"]["rung"] == "mini"
    assert [finding["code"] for finding in told["findings"]] == []


def test_a_run_that_is_not_there_is_an_error(cli) -> None:
    assert cli("explain", "--analyze", "nothing").code == 2


def test_before_a_run_explain_says_what_past_runs_took_and_what_is_critical_in_seconds(cli, tmp_path: Path) -> None:
    (tmp_path / "w.yaml").write_text(FLOW)
    (tmp_path / "s.yaml").write_text(SCRIPT)
    before = cli("explain", "w.yaml").out
    assert "longest" in before
    assert "time (runs)" not in before
    for _ in range(2):
        assert cli("run", "w.yaml", "--json").code == 0
    told = json.loads(cli("explain", "w.yaml", "--json").out)["past"]
    word = told["nodes"]["word"]
    assert (told["runs"], told["rehearsed"], word["runs"]) == (2, True, 2)
    assert word["passed"] == {"mini": [0, 2], "big": [2, 2]}
    assert told["critical"][0] == "word"
    assert 0 < told["seconds"]["low"] <= told["seconds"]["mean"] <= told["seconds"]["high"]
    shown = cli("explain", "w.yaml").out
    for part in (
        "time (runs)",
        "mini 0/2, big 2/2",
        "critical word → ",
        "past     2 runs done",
        "rehearsals",
        "in past runs",
    ):
        assert part in shown
    assert "longest" not in shown
    (tmp_path / "w.yaml").write_text(FLOW.replace("Say a word", "Say another word"))
    other = cli("explain", "w.yaml").out
    assert "no run tells how long word will take" in other
    assert "longest" in other
