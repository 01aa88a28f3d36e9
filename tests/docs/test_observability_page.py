"""The program of docs/observability.md prints what the page says, and its table names what spans hold."""

import re
from pathlib import Path

import pytest
from programs import run

from planloom.cli import main
from planloom.service.metrics import Metrics
from planloom.telemetry import Logs, names

PAGE = (Path(__file__).parents[2] / "docs/observability.md").read_text(encoding="utf-8")


def test_the_program_of_the_page_prints_what_it_shows(tmp_path: Path) -> None:
    for name, text in re.findall(r"^```yaml\n# ([\w.]+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE):
        (tmp_path / name).write_text(text)
    program, printed = (
        re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)[0] for kind in ("python", "text")
    )
    done = run(program, folder=tmp_path)
    assert done.out == printed, done.err


def test_the_log_of_the_page_begins_as_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    section = PAGE.split("## Logs")[1].split("## Metrics")[0]
    command, head = re.findall(r"^```sh\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)[0].splitlines()
    with pytest.raises(SystemExit):
        main(command.partition(" 2> ")[0].split()[1:])
    assert head.partition("# prints ")[2] in capsys.readouterr().err.splitlines()[0]
    made: dict[str, object] = {}
    exec(re.findall(r"^```python\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)[0], made)
    assert isinstance(made["logs"], Logs)


def test_names_that_the_page_shows_are_ours() -> None:
    known = {value for value in vars(names).values() if isinstance(value, str)}
    shown = set(
        re.findall(
            r"`((?:gen_ai|planloom)\.[a-z_.]+\w)`", PAGE.split("## What a trace holds")[1].split("## Metrics")[0]
        )
    ) - {"planloom.run"}
    assert len(shown) > 12
    assert shown - known == set()


def test_the_metrics_that_the_page_shows_are_those_there_are() -> None:
    there = {
        name.removesuffix("_created") for name in re.findall(r"^# TYPE (\w+) ", Metrics().text().decode(), re.MULTILINE)
    }
    assert set(re.findall(r"`(planloom_\w+)`", PAGE)) == there
