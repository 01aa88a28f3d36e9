"""docs/tutorial.md: its files are written, its commands run one after the other and print what it shows."""

import re
import shlex
import subprocess
import time
from pathlib import Path

import pytest
from programs import PLANLOOM, begin

from planloom.cli import main

PAGE = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```\w+\n# ([\w.]+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
CONSOLE = "".join(re.findall(r"^```console\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
COMMANDS = [block.splitlines() for block in CONSOLE.split("$ ") if block]


def run(line: str, capsys: pytest.CaptureFixture[str]) -> str:
    if not line.startswith("planloom "):
        subprocess.run(line, shell=True, check=True)
        return ""
    with pytest.raises(SystemExit):
        main(shlex.split(line)[1:])
    out, err = capsys.readouterr()
    return out + err


def run_until_killed(line: str, last: str) -> str:
    """Start a command of the page, and kill it when it has said the last line that the page shows."""
    program = begin(PLANLOOM, *shlex.split(line.removesuffix("&"))[1:], folder=Path.cwd())
    while last not in program.out:
        assert program.code is None, program.err
        time.sleep(0.02)
    program.process.kill()
    program.process.join()
    return program.out + program.err


@pytest.mark.timeout(300)  # some twenty commands, one after the other
def test_the_tutorial_runs_from_its_first_command_to_its_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    for line, *shown in COMMANDS:
        if line.startswith("kill"):
            continue
        said = run_until_killed(line, shown[-1]) if line.endswith("&") else run(line, capsys)
        assert [text for text in shown if text not in said] == [], f"{line}\n{said}"
    assert (tmp_path / "A-17.txt").read_text() == "Dear Ann, we pay you back 45.5 USD."
    assert (tmp_path / "B-4.txt").read_text() == "Dear Bob, we pay you back 80.0 USD."
