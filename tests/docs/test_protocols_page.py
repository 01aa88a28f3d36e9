"""The programs of docs/protocols.md run as they stand, against a real server."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from ports import on_port
from programs import begin

from planloom import Engine
from planloom.service.app import make_app
from planloom.service.caller import anyone

PAGE = (Path(__file__).parents[2] / "docs" / "protocols.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    (tmp_path / "flows").mkdir()
    for name, text in re.findall(r"^```yaml\n# ([\w./]+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE):
        (tmp_path / name).write_text(text)
    app = make_app(Engine(journal=tmp_path / "runs.db"), [tmp_path / "flows"], auth=anyone())
    async with on_port(app) as found:
        yield found


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: re.findall(r"# (.*)", program)[-1][:30])
async def test_a_program_of_the_page_prints_what_the_page_says(program: str, url: str, tmp_path: Path) -> None:
    ran = begin(program.replace("http://localhost:8000", url), folder=tmp_path)
    assert await ran.end() == 0, ran.err
    for expected in re.findall(r"^ *print\(.*\)  # (.*)$", program, re.MULTILINE):
        if not expected.startswith("the run's id"):
            assert expected in ran.out
