"""docs/quality.md: its table is the catalogue, its workflow snippet loads, and its commands run."""

import re
from pathlib import Path

import pytest
from invented import invented, write

from planloom.cli import main
from planloom.configs.agree import BY_EFFORT
from planloom.configs.load import Workflow
from planloom.configs.nodes import NodeSpec
from planloom.graphs.progress import ladder_of
from planloom.quality.catalogue import CHECKS
from planloom.quality.traits import TRAITS

PAGE = (Path(__file__).parents[2] / "docs" / "quality.md").read_text()


def test_the_table_names_every_check_with_its_strength() -> None:
    rows = re.findall(r"^\| `(\w+)` \| .* \| ([\d.]+) \|$", PAGE, re.MULTILINE)
    assert [(name, float(strength)) for name, strength in rows] == [(n, c.strength) for n, c in CHECKS.items()]
    assert all(f"`{trait}`" in PAGE for trait in TRAITS)


def test_the_snippet_is_part_of_a_workflow() -> None:
    checks, route, agree, planner = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    both = checks.replace("checks: [", "checks:\n  - ").replace("}, {", "}\n  - {").replace("}]", "}")
    node = "".join(f"    {line}\n" for line in (both + agree.removeprefix("checks:\n")).splitlines())
    model = 'models: {m: {model: "rehearsal:m"}, other: {model: "rehearsal:o"}}\nladder: [m]\n'
    workflow = Workflow.from_text(f"version: 1\nname: w\n{model}{route}nodes:\n  n:\n    goal: Add\n{node}output: x\n")
    assert workflow.spec.route.policy == "policy.yaml"
    named = model.replace("{m:", "{mini:").replace("[m]", "[mini]")
    planned = Workflow.from_text(f"version: 1\nname: w\n{named}{planner}").spec.planner.agreement
    assert planned is not None
    assert [str(planned.voice(number)) for number in range(planned.samples)] == ["plain", "on other", "backwards"]
    assert [check.text for check in workflow.spec.nodes["n"].checks] == ["final_answer", "arithmetic", None]
    drawn = workflow.spec.nodes["n"].to_node("n").agree
    assert drawn is not None
    assert [str(drawn.voice(number)) for number in range(5)] == ["plain", "backwards", "program", "on other", "plain"]


def test_the_table_of_effort_is_what_holds() -> None:
    rows = re.findall(r"^\| `(\w+)` \| the (\w+) rung \| (\d+) of (?:at most )?(\d+) \|$", PAGE, re.MULTILINE)
    assert {effort: (int(samples), int(quorum)) for effort, _, quorum, samples in rows} == BY_EFFORT
    starts = {effort: ladder_of(NodeSpec(goal="g", effort=effort).to_node("n"), ("a", "b"))[1] for effort in BY_EFFORT}
    assert {effort: ["first", "second"].index(rung) for effort, rung, _, _ in rows} == starts


def test_the_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "answers.jsonl", invented(60))
    commands = [line[11:].partition("#")[0].split() for line in PAGE.splitlines() if line.startswith("$ planloom ")]
    of_files = [command for command in commands if "answers.jsonl" in command]
    assert len(of_files) == 2
    for command in of_files:
        with pytest.raises(SystemExit) as ended:
            main(command)
        assert ended.value.code == 0
    assert (tmp_path / "curve.png").exists()
