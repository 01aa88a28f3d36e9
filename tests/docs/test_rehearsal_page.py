"""The worked script of docs/rehearsal.md plays the README's workflow, and the page's facts hold."""

import inspect
import re
from pathlib import Path

import pytest

from planloom.agents.prompting import prompt
from planloom.agents.worker import read_result
from planloom.cli import app
from planloom.configs.load import Workflow
from planloom.core.json import JsonObject
from planloom.core.outcome import Done, Failed, FailureKind
from planloom.engine import Engine

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "rehearsal.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def default_port() -> int:
    return int(inspect.signature(app.rehearse).parameters["port"].default)


def scripts() -> list[str]:
    return re.findall(r"^```yaml\n(.*?)^```$", PAGE.split("### A worked script")[1], re.DOTALL | re.MULTILINE)


async def test_the_worked_script_plays_the_workflow_of_the_readme(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "export.md").write_text("use the menu File, Export.")
    (tmp_path / "script.yaml").write_text(scripts()[0])
    (yaml,) = re.findall(r"^```yaml\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    workflow = Workflow.from_text(yaml, base_dir=tmp_path)
    async with Engine(journal=":memory:", rehearsal=tmp_path / "script.yaml") as engine:
        result = await engine.run(workflow)
    answer = "Thank you, we can reproduce it. Until it is mended: use the menu File, Export."
    assert result.status == "done", result.error
    assert result.output == {"kind": "bug", "answer": answer}
    assert [attempt.ok for attempt in result.nodes["answer"].attempts] == [False, True]
    assert "Monday" in result.nodes["answer"].attempts[0].evidence[-1].found


@pytest.mark.parametrize("row", ['{"result": {"n": 1}, "cannot": null}', '{"n": 1}'])
def test_a_worker_may_give_its_result_bare_or_in_the_envelope(row: str) -> None:
    assert read_result(row, {"type": "object", "required": ["n"]}) == Done(output={"n": 1})


@pytest.mark.parametrize(
    ("reply", "schema"),
    [
        ("CANNOT missing_input: there is no file", None),
        ('{"result": null, "cannot": {"code": "missing_input", "reason": "there is no file"}}', {"type": "object"}),
    ],
)
def test_a_worker_gives_up_as_the_page_says(reply: str, schema: JsonObject | None) -> None:
    outcome = read_result(reply, schema)
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.code, outcome.message) == (
        FailureKind.CANNOT,
        "missing_input",
        "there is no file",
    )


def test_the_words_that_tell_the_planner_requests_apart_stand_in_one_prompt_each() -> None:
    for words, name in (("Your plan was not accepted", "repair"), ("failed for good", "replan")):
        assert words in PAGE
        assert [p for p in ("planner", "repair", "replan") if words in prompt(p)] == [name]


def test_the_port_on_the_page_is_the_default() -> None:
    assert f"http://127.0.0.1:{default_port()}/v1" in PAGE
    assert set(re.findall(r"127\.0\.0\.1:(\d+)", PAGE)) == {str(default_port())}
