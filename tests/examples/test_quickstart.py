"""The quickstart: its figures, its failed check, its replan, and the command that the README names first."""

import csv
import json
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path
from statistics import linear_regression, mean

import pytest
from played import ROOT, Play, without_pauses

CONFIGS = ROOT / "configs"
WORKFLOW = CONFIGS / "quickstart.yaml"
SCRIPT = CONFIGS / "quickstart.rehearsal.yaml"


@dataclass(frozen=True)
class Day:
    date: str
    mm: float
    high: float
    low: float


def read_days(path: Path) -> list[Day]:
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Day(row["date"], float(row["precipitation"]), float(row["temp_max"]), float(row["temp_min"]))
            for row in csv.DictReader(file)
        ]


def facts_of(days: Sequence[Day]) -> dict[str, object]:
    """Work the report's figures out anew, from the file alone."""
    months: defaultdict[str, float] = defaultdict(float)
    means: defaultdict[int, list[float]] = defaultdict(list)
    for day in days:
        months[day.date[:7]] += day.mm
        means[int(day.date[:4])].append((day.high + day.low) / 2)
    wettest = max(months, key=lambda month: months[month])
    pairs = list(pairwise(day.mm > 0 for day in days))
    years = sorted(means)
    return {
        "wettest_month": wettest,
        "wettest_month_mm": round(months[wettest], 1),
        "wet_after_wet_pct": round(100 * mean(after for before, after in pairs if before), 1),
        "wet_after_dry_pct": round(100 * mean(after for before, after in pairs if not before), 1),
        "warming_c_per_year": round(linear_regression(years, [mean(means[year]) for year in years]).slope, 2),
    }


def longest(days: Sequence[Day], *, wet: bool) -> int:
    runs = groupby(days, key=lambda day: day.mm > 0)
    return max(len(list(run)) for is_wet, run in runs if is_wet == wet)


@pytest.fixture(scope="session")
def script() -> str:
    return without_pauses(SCRIPT)


async def test_the_quickstart_ends_in_figures_that_the_file_bears_out(play: Play, script: str) -> None:
    played = await play(WORKFLOW, script)
    result, days = played.result, read_days(CONFIGS / "data" / "seattle-weather.csv")
    assert (result.status, result.error) == ("done", "")
    assert len(days) >= 1000
    assert isinstance(result.output, dict)
    assert result.output["recomputed_from_the_rows"] == facts_of(days)
    report = (played.folder / "planloom-quickstart" / "report.md").read_text(encoding="utf-8")
    for figure in facts_of(days).values():
        assert str(figure) in report
    assert f"{longest(days, wet=True)} days" in report
    assert f"{longest(days, wet=False)} days" in report
    for year in ("2012", "2013", "2014", "2015"):
        hot = [day.high for day in days if day.date.startswith(year) and day.high >= 30]
        assert f"| {year} | {len(hot)} | {max(hot)} |" in report


async def test_the_wrong_figure_is_caught_tried_again_and_promoted(play: Play, script: str) -> None:
    played = await play(WORKFLOW, script)
    assert [step for step in played.actions() if step[0] == "wettest"] == [("wettest", "retry"), ("wettest", "promote")]
    assert played.server.models("wettest") == ["gpt-5-nano", "gpt-5-nano", "gpt-5-mini", "gpt-5-mini"]
    first, second = played.evidence("wettest")
    assert "the largest value is 284.5 (2015/12), not 240.0" in first
    assert "not 248.5" in second


async def test_the_plan_is_mended_behind_the_node_that_could_not_be_done(play: Play, script: str) -> None:
    played = await play(WORKFLOW, script)
    result = played.result
    states = {str(node_id): record.state for node_id, record in result.nodes.items()}
    assert ("muggy", "replan") in played.actions()
    assert (states["muggy"], states["hot_days"], result.plan_version) == ("removed", "done", 2)
    asked = [request for request in played.server.requests if request["role"] == "planner"]
    assert len(asked) == 2
    assert "no such column: humidity" in json.dumps(asked[1]["body"])
    others = {"each_year[0]", "each_year[1]", "each_year[2]", "each_year[3]", "report"}
    assert [played.server.nodes().count(node) for node in others] == [1] * 5
    assert {str(i): len(record.attempts) for i, record in result.nodes.items() if record.state == "done"} == {
        **dict.fromkeys(("days", "months", "years", "spells", "warming", "hot_days", "report"), 1),
        **dict.fromkeys(("save", "saved", "verified"), 1),
        **dict.fromkeys((f"each_year[{index}]" for index in range(4)), 1),
        "each_year": 0,
        "wettest": 3,
    }


async def test_its_cost_is_that_of_the_models_it_names_and_below_the_cap(play: Play, script: str) -> None:
    result = (await play(WORKFLOW, script)).result
    assert 0.005 < result.cost_usd < 0.50
    assert result.usage.calls == 16


async def test_no_figure_comes_from_the_script(play: Play, script: str, tmp_path: Path) -> None:
    """On other data the same script leads to that data's figures."""
    shutil.copytree(CONFIGS / "data", tmp_path / "data")
    shutil.copy(WORKFLOW, tmp_path)
    table = tmp_path / "data" / "seattle-weather.csv"
    lines = table.read_text(encoding="utf-8").splitlines()
    changed = [line.split(",") for line in lines[1:] if not line.startswith(("2015/11", "2015/12"))]
    for index, row in enumerate(changed):
        row[1] = str(round(float(row[1]) * 1.7, 1))
        row[2] = str(round(float(row[2]) - index / 300, 1))
    table.write_text("\n".join([lines[0], *(",".join(row) for row in changed)]) + "\n", encoding="utf-8")
    result = (await play(tmp_path / WORKFLOW.name, script)).result
    assert (result.status, result.error) == ("done", "")
    assert isinstance(result.output, dict)
    facts = facts_of(read_days(table))
    assert facts["wettest_month"] == "2014/03"
    assert result.output["recomputed_from_the_rows"] == facts


def test_the_readmes_first_command_works_from_any_folder(tmp_path: Path) -> None:
    start = "from planloom.cli import main; main()"
    command = [sys.executable, "-P", "-c", start, "run", "quickstart", "--rehearsal", str(SCRIPT), "--json"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    result = json.loads(ran.stdout)
    assert (result["status"], result["rehearsal"]) == ("done", True)
    assert (tmp_path / "planloom-quickstart" / "report.md").is_file()
