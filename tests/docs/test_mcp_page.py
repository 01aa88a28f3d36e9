"""What docs/mcp.md shows runs and prints what it says."""

import re
import sys
from pathlib import Path

import pytest

from planloom.cli import checking
from planloom.configs.load import Workflow
from planloom.engine import Engine
from planloom.tools.mcp_offer import MAX_DESCRIPTION_CHARS

PAGE = (Path(__file__).parents[2] / "docs/mcp.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```\w+\n# ([\w.]+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text.replace("[python, ", f"[{sys.executable}, "), encoding="utf-8")
    return tmp_path


async def test_the_example_is_locked_and_checked_without_its_server_and_runs(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    await checking.lock("notes.yaml")
    assert capsys.readouterr().out == PAGE.split("$ planloom lock notes.yaml\n")[1].split("$ ")[0]
    async with Engine(journal=":memory:", rehearsal="script.yaml") as engine:
        (folder / "server.py").rename("away.py")
        await engine.check(Workflow.from_yaml("notes.yaml"))
        (folder / "away.py").rename("server.py")
        result = await engine.run("notes.yaml")
    assert result.output == {"answer": "Your notes say: Bern: the bear park is free", "kept": {"result": 3}}


def test_the_other_workflow_is_right_and_the_bounds_stand_there() -> None:
    other = next(text for text in re.findall(r"^```yaml\n(version.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
    assert Workflow.from_text(other, env={}).spec.tools["wiki"].allow == ("search", "fetch")
    assert f"{MAX_DESCRIPTION_CHARS:,} characters" in PAGE.replace("\n", " ")
