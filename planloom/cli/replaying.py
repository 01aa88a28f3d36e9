"""`replay`: a table and a picture of what other policies would have done."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import typer

from planloom.cli import plots, recordings
from planloom.cli.words import one_line
from planloom.configs.policy import read_policy
from planloom.quality.replay import Replayed, Spending, compare


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What is compared, and how it is shown."""

    policies: tuple[Path, ...]
    model: str | None
    budget_usd: float | None
    weak_price: float | None
    strong_price: float | None
    plot: Path | None
    as_json: bool


async def replay(named: Sequence[str], journal: str | None, wishes: Wishes) -> None:
    """Replay recorded answers under each policy and print the comparison.

    Raises:
        ConfigError: A file or policy is not fit to be read, or nothing recorded has a known outcome.
        RunError: There is no such run.
    """
    policies = [(path.name, read_policy(path)) for path in wishes.policies]
    rows = [row for row in await recordings.read(named, journal, model=wishes.model) if row.first]
    spending = Spending(weak_price=wishes.weak_price, strong_price=wishes.strong_price)
    found = await asyncio.to_thread(compare, rows, policies, spending=spending, budget_usd=wishes.budget_usd)
    series = {each.name: [_place(each)] for each in found}
    if wishes.as_json:
        typer.echo(json.dumps([{**asdict(each), "questions": each.questions} for each in found]))
    else:
        typer.echo("\n".join(_table(found)))
        typer.echo(plots.as_text(series, x="share of strong calls", y="share known to be right"))
    if wishes.plot:
        title = "Recorded answers under other policies"
        plots.as_png(series, wishes.plot, x="share of strong calls", y="share known to be right", title=title)


def _place(each: Replayed) -> tuple[float, float]:
    return each.strong_calls / each.questions, each.right / each.questions


def _table(found: Sequence[Replayed]) -> list[str]:
    head = f"{'policy':<24}{'right':>9}{'unknown':>9}{'strong calls':>14}{'held back':>11}{'cost':>12}"
    return [head, *(_line(each) for each in found)]


def _line(each: Replayed) -> str:
    right, unknown = each.right / each.questions, each.unknown / each.questions
    cost = "unknown" if each.cost_usd is None else f"{each.cost_usd:.4f}"
    more = f" + {each.cost_unknown} unknown" if each.cost_usd is not None and each.cost_unknown else ""
    calls = f"{each.strong_calls} ({each.strong_calls / each.questions:.0%})"
    return f"{one_line(each.name, 23):<24}{right:>9.1%}{unknown:>9.1%}{calls:>14}{each.held_back:>11}{cost:>12}{more}"
