"""`replay`: a table and a picture of what other policies would have done."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import typer

from planloom.cli import plots, recordings
from planloom.cli.words import one_line
from planloom.configs.policy import read_policy
from planloom.core.errors import ConfigError, Problem
from planloom.quality.replay import Lack, Replayed, Spending, compare

_SHARE = "share of strong calls"
_RIGHT = "share known to be right"
_LACKS: Mapping[Lack, str] = {
    "never asked": "would have been asked, and never were",
    "not judged": "were answered, and nobody judged it",
    "text not kept": "left no text to decide by",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What is compared, and how it is shown."""

    policies: tuple[Path, ...]
    model: str | None
    budgets: tuple[float, ...]
    ladder: tuple[str, ...]
    spending: Spending
    plot: Path | None
    as_json: bool


async def replay(named: Sequence[str], journal: str | None, wishes: Wishes) -> None:
    """Replay recorded answers under each policy and print the comparison.

    Raises:
        ConfigError: A file or policy is not fit to be read, or nothing recorded has a known outcome.
        RunError: There is no such run.
    """
    policies = [(path.name, read_policy(path)) for path in wishes.policies]
    rows = await recordings.read(named, journal, model=wishes.model, above=True)
    if not any(row.first for row in rows):
        raise ConfigError(" ".join(named), [Problem("no first answer with a known outcome: nothing to replay")])
    found = await asyncio.to_thread(
        compare,
        rows,
        policies,
        spending=wishes.spending,
        budgets=wishes.budgets or (None,),
        ladder=wishes.ladder,
    )
    across = "cost in USD" if all(each.cost_usd is not None and not each.cost_unknown for each in found) else _SHARE
    series: dict[str, list[tuple[float, float]]] = {}
    for each in found:
        series.setdefault(each.name, []).append(_place(each, across))
    if wishes.as_json:
        typer.echo(json.dumps([{**asdict(each), "questions": each.questions} for each in found]))
    else:
        typer.echo("\n".join([*_table(found), *_unknowns(found)]))
        typer.echo(plots.as_text(series, x=across, y=_RIGHT))
    if wishes.plot:
        plots.as_png(series, wishes.plot, x=across, y=_RIGHT, title="Recorded answers under other policies")


def _place(each: Replayed, across: str) -> tuple[float, float]:
    if across == _SHARE:
        return each.strong_calls / each.questions, each.right / each.questions
    return each.cost_usd or 0.0, each.right / each.questions


def _table(found: Sequence[Replayed]) -> list[str]:
    capped = any(each.budget_usd is not None for each in found)
    budget = f"{'budget':>10}" if capped else ""
    head = f"{'policy':<24}{budget}{'right':>9}{'unknown':>9}{'strong calls':>14}{'held back':>11}{'cost':>12}  calls"
    return [head, *(_line(each, capped) for each in found)]


def _line(each: Replayed, capped: bool) -> str:
    right, unknown = each.right / each.questions, each.unknown / each.questions
    budget = f"{each.budget_usd:>10g}" if capped and each.budget_usd is not None else ""
    cost = "unknown" if each.cost_usd is None else f"{each.cost_usd:.4f}"
    more = f" + {each.cost_unknown} unknown" if each.cost_usd is not None and each.cost_unknown else ""
    strong = f"{each.strong_calls} ({each.strong_calls / each.questions:.0%})"
    calls = ", ".join(f"{one_line(model, 23) or 'unnamed'} {count}" for model, count in each.calls.items())
    start = f"{one_line(each.name, 23):<24}{budget}{right:>9.1%}{unknown:>9.1%}"
    return f"{start}{strong:>14}{each.held_back:>11}{cost:>12}{more}  {calls}"


def _unknowns(found: Sequence[Replayed]) -> list[str]:
    """Say of each kind of node what nobody knows, and under which rule."""
    lines: dict[str, list[str]] = {}
    for each in found:
        for lack in each.unknowns:
            kind, model = "answers" if lack.kind == "*" else one_line(lack.kind, 40), one_line(lack.model, 40)
            what = f"  {kind}: {lack.questions} of {model or 'unnamed'} {_LACKS[lack.lack]}"
            lines.setdefault(what, []).append(each.name)
    if not lines:
        return []
    told = [f"{what} ({', '.join(dict.fromkeys(names))})" for what, names in lines.items()]
    return ["", "not known:", *told, ""]
