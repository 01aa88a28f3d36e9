"""docs/cookbook.md: its workflows run on their scripts, and the examples it names are there."""

import re
from pathlib import Path

import pytest

from planloom.core.json import Json
from planloom.engine import Engine

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "cookbook.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```\w+\n# ([\w.]+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
REPORT = "## Rain\n\nThe station measured 1223 mm.\n\n## Heat\n\nThe station measured 31 days."
RESULTS = {
    "analysis": "The north sells most, 75 percent.",
    "triage": {"kind": "refund", "answer": "Thank you for telling us. A colleague looks at both charges."},
    "report": REPORT,
}


@pytest.mark.parametrize(("name", "expected"), RESULTS.items(), ids=RESULTS)
async def test_a_recipe_runs_on_its_script(
    name: str, expected: Json, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for file, text in FILES.items():
        (tmp_path / file).write_text(text, encoding="utf-8")
    async with Engine(journal=tmp_path / "j.db", rehearsal=tmp_path / f"{name}.script.yaml") as engine:
        result = await engine.run(tmp_path / f"{name}.yaml")
        if result.status == "waiting":
            result = await engine.resume(result.run_id, {str(item.node_id): True for item in result.pending})
    assert (result.status, result.output) == ("done", expected), result.error


def test_the_examples_that_the_page_names_are_there() -> None:
    named = set(re.findall(r"`examples/(\w+)`", PAGE))
    assert named >= {"programming", "mathematics", "science", "review"}
    assert [name for name in named if not (ROOT / "examples" / name / "workflow.yaml").is_file()] == []
