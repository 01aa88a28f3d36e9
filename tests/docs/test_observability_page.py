"""The program of docs/observability.md prints what the page says, and its table names what spans hold."""

import re
import subprocess
import sys
from pathlib import Path

from planloom.service.metrics import Metrics
from planloom.telemetry import names

PAGE = (Path(__file__).parents[2] / "docs/observability.md").read_text(encoding="utf-8")


def test_the_program_of_the_page_prints_what_it_shows(tmp_path: Path) -> None:
    for name, text in re.findall(r"^```yaml\n# ([\w.]+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE):
        (tmp_path / name).write_text(text)
    program, printed = (
        re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)[0] for kind in ("python", "text")
    )
    done = subprocess.run([sys.executable, "-P", "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == printed, done.stderr


def test_names_that_the_page_shows_are_ours() -> None:
    known = {value for value in vars(names).values() if isinstance(value, str)}
    shown = set(
        re.findall(
            r"`((?:gen_ai|planloom)\.[a-z_.]+\w)`", PAGE.split("## What a trace holds")[1].split("## Metrics")[0]
        )
    ) - {"planloom.observe"}
    assert len(shown) > 12
    assert shown - known == set()


def test_the_metrics_that_the_page_shows_are_those_there_are() -> None:
    there = {
        name.removesuffix("_created") for name in re.findall(r"^# TYPE (\w+) ", Metrics().text().decode(), re.MULTILINE)
    }
    assert set(re.findall(r"`(planloom_\w+)`", PAGE)) == there
