"""`planloom calibrate` and `planloom replay`, called as a user calls them."""

import json
import sys
from pathlib import Path

import pytest
from invented import invented, write

from planloom.configs.policy import read_policy


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    return write(tmp_path / "answers.jsonl", invented(120)).name


def test_a_calibration_writes_a_policy_and_draws_its_curve(cli, recorded: str, tmp_path: Path) -> None:
    ran = cli("calibrate", recorded, "-o", "policy.yaml", "--plot", "curve.png")
    assert ran.code == 0, ran.err
    assert "signal   AUC" in ran.out
    assert "APGR" in ran.out
    assert "share of strong calls" in ran.out
    assert ran.out.endswith("wrote policy.yaml\n")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    (group,) = read_policy(tmp_path / "policy.yaml").groups
    assert (group.model, group.strong_model, group.samples) == ("cheap", "dear", 120)


def test_without_an_output_the_policy_alone_is_on_standard_output(cli, recorded: str, tmp_path: Path) -> None:
    ran = cli("calibrate", recorded)
    (tmp_path / "p.yaml").write_text(ran.out)
    assert read_policy(tmp_path / "p.yaml").groups[0].model == "cheap"
    assert "APGR" in ran.err


def test_a_calibration_of_answers_without_a_trace_says_no_signal(cli, tmp_path: Path) -> None:
    path = write(tmp_path / "answers.jsonl", invented(120, telling=False))
    ran = cli("calibrate", str(path))
    assert "no signal: AUC" in ran.err
    assert "signal: no signal" in ran.out


def test_a_replay_compares_policies_without_a_model(cli, recorded: str) -> None:
    assert cli("calibrate", recorded, "-o", "policy.yaml").code == 0
    shown = cli("replay", recorded, "--policy", "policy.yaml", "--weak-price", "1", "--strong-price", "100")
    assert shown.code == 0, shown.err
    assert [line.split("  ")[0] for line in shown.out.splitlines()[:5]] == [
        "policy",
        "cheap only",
        "untrained checks",
        "policy.yaml",
        "strong only",
    ]
    told = json.loads(cli("replay", recorded, "--policy", "policy.yaml", "--json").out)
    cheap, _, policy, strong = told
    assert cheap["right"] < policy["right"]
    assert (strong["strong_calls"], strong["cost_usd"]) == (120, None)


def test_a_run_is_replayed_from_its_journal(cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "w.yaml").write_text(WORKFLOW)
    (tmp_path / "s.yaml").write_text(SCRIPT)
    assert cli("run", "w.yaml", "--rehearsal", "s.yaml").code == 0
    told = json.loads(cli("replay", "last", "--json").out)
    assert json.loads(cli("replay", "last", "last", "--json").out) == told
    cheap, checks, strong = told
    assert (cheap["wrong"], cheap["right"]) == (1, 0)
    assert (checks["right"], checks["strong_calls"]) == (1, 1)
    assert (strong["right"], strong["unknown"]) == (1, 0)
    ran = cli("calibrate", "all")
    assert "signal: no signal" in ran.out


def test_a_run_on_a_ladder_of_three_is_replayed_under_several_budgets(
    cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    three = WORKFLOW.replace("{mini:", '{mid: {model: "rehearsal:mid"}, mini:').replace(
        "[mini, big]", "[mini, mid, big]"
    )
    (tmp_path / "w.yaml").write_text(three)
    (tmp_path / "s.yaml").write_text(
        SCRIPT.replace("attempt: 1", "attempt: [1, 2]").replace("attempt: 2}", "attempt: 3}")
    )
    assert cli("run", "w.yaml", "--rehearsal", "s.yaml").code == 0
    shown = cli(
        "replay",
        "last",
        "--budget",
        "0",
        "--budget",
        "1",
        "--ladder",
        "rehearsal/mini,rehearsal/dear",
        "--plot",
        "p.png",
    )
    assert shown.code == 0, shown.err
    assert (
        "count: 1 of rehearsal/dear would have been asked, and never were (untrained checks, strong only)" in shown.out
    )
    assert (tmp_path / "p.png").stat().st_size > 1000
    told = {each["name"]: each for each in json.loads(cli("replay", "last", "--json").out)}
    assert told["untrained checks"]["calls"] == {f"rehearsal/{name}": 1 for name in ("mini", "mid", "big")}
    assert told["rehearsal/mid only"]["wrong"] == 1
    assert cli("replay", "last", "--price", "big").err.endswith("expected MODEL=USD, found 'big'\n")


WORKFLOW = """
version: 1
name: pens
models: {mini: {model: "rehearsal:mini"}, big: {model: "rehearsal:big"}}
ladder: [mini, big]
route: {retry: 0}
nodes:
  count: {goal: "How many pens are 12 boxes of 30?", checks: [{expr: "'360' in output"}]}
output: "${nodes.count.output}"
"""
SCRIPT = """
rehearsal: 1
rules:
  - {when: {attempt: 1}, text: "12 * 30 = 370 pens"}
  - {when: {attempt: 2}, text: "12 * 30 = 360 pens"}
"""


@pytest.mark.parametrize("command", ["calibrate", "replay"])
def test_runs_without_a_known_outcome_and_missing_files_are_refused(cli, command: str, tmp_path: Path) -> None:
    ran = cli(command, str(tmp_path / "none.jsonl"))
    assert (ran.code, ran.out) == (2, "")
    assert "cannot be read" in ran.err
    assert cli(command, "all").err.endswith("a node needs a check other than those on text\n")


@pytest.mark.parametrize("command", ["calibrate", "replay"])
def test_a_file_that_is_named_again_would_count_twice_and_is_refused(cli, command: str, recorded: str) -> None:
    ran = cli(command, recorded, f"./{recorded}")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f"{recorded}: expected each file once, found it named again\n"


def test_a_plot_without_matplotlib_says_what_to_install(cli, recorded: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    ran = cli("replay", recorded, "--plot", "x.png")
    assert ran.code == 2
    assert "pip install 'planloom[plot]'" in ran.err
