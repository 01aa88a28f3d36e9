"""`calibrate`: from recorded answers to a policy file, and what it is worth."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import typer

from planloom.cli import plots, recordings
from planloom.cli.words import one_line
from planloom.configs.policy import policy_text
from planloom.quality.calibrate import Calibration
from planloom.quality.calibrate import calibrate as calibrated
from planloom.quality.policy import Policy
from planloom.quality.recorded import grouped


async def calibrate(
    named: Sequence[str],
    journal: str | None,
    *,
    model: str | None,
    recover: float,
    output: Path | None,
    plot: Path | None,
) -> None:
    """Calibrate each kind of node on each model, print what it is worth, and write the policy.

    Raises:
        ConfigError: A file is not fit to be read, or nothing recorded has a known outcome.
        RunError: There is no such run.
    """
    rows = await recordings.read(named, journal, model=model)
    found = [await asyncio.to_thread(calibrated, group, recover=recover) for group in grouped(rows)]
    policy = Policy(created=datetime.now(UTC).date().isoformat(), groups=tuple(each.group for each in found))
    for each in found:
        typer.echo("\n".join(_told(each)), err=output is None)
    lines = _lines(found)
    if lines:
        typer.echo(plots.as_text(lines, x="share of strong calls", y="accuracy"), err=output is None)
        if plot:
            title = "Accuracy by share of strong calls, rows held out"
            plots.as_png(lines, plot, x="share of strong calls", y="accuracy", title=title)
    text = policy_text(policy)
    if output is None:
        typer.echo(text, nl=False)
    else:
        await asyncio.to_thread(output.write_text, text, encoding="utf-8")
        typer.echo(f"wrote {output}")


def _lines(found: Iterable[Calibration]) -> dict[str, list[tuple[float, float]]]:
    """Return the curves as places, and beside each what random choice would reach."""
    lines: dict[str, list[tuple[float, float]]] = {}
    for each in found:
        if each.curve:
            lines[_name(each)] = [(point.share, point.accuracy) for point in each.curve.points]
            lines[f"{_name(each)} at random"] = [(0.0, each.curve.weak), (1.0, each.curve.strong)]
    return lines


def _name(found: Calibration) -> str:
    group = found.group
    return one_line(f"{'' if group.kind == '*' else f'{group.kind}: '}{group.model or 'unnamed'}", 60)


def _told(found: Calibration) -> list[str]:
    group, signal, curve = found.group, found.group.signal, found.curve
    lines = [f"{_name(found)}  {group.samples} answers, {group.weak_accuracy:.1%} right"]
    if signal is not None and signal.found:
        interval = f"{signal.low:.3f} to {signal.high:.3f}"
        lines.append(f"  signal   AUC {signal.auc:.3f} ({interval}) on rows held out")
        lines.append(f"  error    Brier {found.brier:.3f}, a constant guess {found.brier_constant:.3f}")
    elif signal is not None:
        lines.append(
            f"  no signal: AUC {signal.auc:.3f} ({signal.low:.3f} to {signal.high:.3f}); the untrained weights stay"
        )
    if curve is None:
        lines.append("  no curve: the stronger model was not asked all the questions")
        return lines
    at = curve.at(share(found))
    lines.append(
        f"  curve    APGR {curve.apgr:.3f}  CPT50 {_percent(curve.cpt(0.5))}  CPT80 {_percent(curve.cpt(0.8))}"
    )
    alone = f"{one_line(group.strong_model, 40) or 'the strong model'} alone {curve.strong:.1%}"
    lines.append(f"  at       {at.share:.1%} strong calls: {at.accuracy:.1%} right; {alone}")
    return lines


def share(found: Calibration) -> float:
    """Return the share of the rows that the threshold sends up."""
    return sum(urgency >= found.group.threshold for urgency in found.urgencies) / len(found.urgencies)


def _percent(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f} %"
