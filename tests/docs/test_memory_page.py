"""docs/memory.md: its workflow runs twice and remembers, and its commands do what they say."""

import re
import shlex
from pathlib import Path

import pytest

from planloom.cli import main
from planloom.configs.load import Workflow
from planloom.engine import Engine

PAGE = (Path(__file__).parents[2] / "docs" / "memory.md").read_text(encoding="utf-8")
SCRIPT = "rehearsal: 1\nrules: [{when: {contains: '# Remembered'}, text: it is 31}, {text: it costs 30}]\n"


@pytest.fixture
async def remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run the page's workflow twice and return the id of what it keeps."""
    monkeypatch.chdir(tmp_path)
    (yaml,) = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    (tmp_path / "script.yaml").write_text(SCRIPT)
    async with Engine(rehearsal=tmp_path / "script.yaml") as engine:
        workflow = Workflow.from_text(yaml, base_dir=tmp_path)
        assert [(await engine.run(workflow)).output for _ in range(2)] == ["it costs 30", "it is 31"]
        (kept,) = await engine.memories("prices").search("cost of a lamp", limit=5)
    return kept.id


def test_the_commands_of_the_page_work(remembered: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (block,) = re.findall(r"^```console\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    commands = [shlex.split(line.removeprefix("$ planloom "), comments=True) for line in block.splitlines()]
    assert [command[1] for command in commands] == ["list", "search", "export", "import", "forget"]
    for command in commands:
        with pytest.raises(SystemExit) as left:
            main([remembered if re.fullmatch("[0-9a-f]{16}", word) else word for word in command])
        assert left.value.code == 0
        if command[1] not in ("export", "import"):
            assert f"{remembered}  " in capsys.readouterr().out
    assert remembered in (tmp_path / "memories.jsonl").read_text()
