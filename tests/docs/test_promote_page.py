"""What docs/promote.md shows runs and prints what it says."""

import re
from pathlib import Path

import pytest

from planloom.cli import main

PAGE = (Path(__file__).parents[2] / "docs/promote.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```\w+\n# ([\w.]+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))


def test_the_commands_of_the_page_print_what_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (console,) = re.findall(r"^```console\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    shown = ""
    for line in console.splitlines(keepends=True):
        if line.startswith("$ planloom "):
            with pytest.raises(SystemExit) as left:
                main([*line.split()[2:], *(["--json"] if " run " in line else [])])
            assert not left.value.code
            shown += line + (capsys.readouterr().err if " promote " in line else "")
    assert shown == console
    assert "Oslo had 1223 mm of rain." in capsys.readouterr().out
