"""What the README shows runs as it stands there."""

import json
import re
from pathlib import Path

import pytest
from programs import run

from planloom.configs.load import Workflow
from planloom.engine import Engine

README = (Path(__file__).parent.parent / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


async def test_the_workflow_in_the_readme_runs(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    rules = [
        {"when": {"role": "judge"}, "json": {"pass": True, "reason": "polite"}},
        {"when": {"node": "classify"}, "json": {"kind": "bug", "component": "export"}},
        {"text": "Thank you, we can reproduce it."},
    ]
    (tmp_path / "script.yaml").write_text(json.dumps({"rehearsal": 1, "rules": rules}))
    workflow = Workflow.from_text(blocks("yaml")[0], base_dir=tmp_path)
    async with Engine(journal=":memory:", rehearsal=tmp_path / "script.yaml") as engine:
        result = await engine.run(workflow)
    assert result.status == "done", result.error
    assert result.output == {"kind": "bug", "answer": "Thank you, we can reproduce it."}


@pytest.mark.parametrize("index", range(2))
def test_the_python_in_the_readme_runs(index: int, tmp_path: Path) -> None:
    done = run(blocks("python")[index], folder=tmp_path)
    assert done.code == 0, done.err
    if index == 0:
        assert "done long" in done.out
        assert "RunEnded" in done.out


def test_every_file_the_readme_links_to_is_there() -> None:
    links = re.findall(r"\]\(([\w./-]+)\)", README)
    assert links
    assert [link for link in links if not (Path(__file__).parent.parent / link).exists()] == []
