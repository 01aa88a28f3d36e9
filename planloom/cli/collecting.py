"""Old runs deleted from the command line."""

import json
import math
from collections.abc import Collection
from dataclasses import asdict

import typer

from planloom.cli.journals import journal_at
from planloom.cli.words import plural, size
from planloom.configs.units import read_duration
from planloom.core.errors import ConfigError, Problem
from planloom.engine import Engine
from planloom.gc import Collected
from planloom.state.retention import ENDINGS, Ending

_LISTED = 20


async def gc(
    journal: str | None, *, older_than: str, keep: int, statuses: Collection[str], dry_run: bool, as_json: bool
) -> None:
    """Delete old runs and say which.

    Raises:
        ConfigError: `older_than` is no duration.
    """
    try:
        older_than_s = read_duration(older_than)
    except ValueError as exc:
        raise ConfigError("command line", [Problem(f"{exc}, found {older_than[:40]!r}", "--older-than")]) from exc
    asked = set(statuses)
    named: list[Ending] = [ending for ending in ENDINGS if asked & {ending}]
    async with Engine(journal=journal_at(journal), retention_s=math.inf) as engine:
        gone = await engine.gc(older_than_s=older_than_s, keep=keep, statuses=named, dry_run=dry_run)
    typer.echo(json.dumps(asdict(gone)) if as_json else _told(gone))


def _told(gone: Collected) -> str:
    if not gone.runs and not gone.in_use:
        return "no run is old enough"
    lines = [f"  {run_id}" for run_id in gone.runs[:_LISTED]]
    if len(gone.runs) > _LISTED:
        lines.append(f"  … {len(gone.runs) - _LISTED:,} more")
    if gone.in_use:
        lines.append(f"{plural(len(gone.in_use), 'run')} in use by now, left alone")
    runs = plural(len(gone.runs), "run")
    if gone.dry_run:
        return "\n".join([f"would delete {runs}", *lines])
    freed = f", {size(gone.freed_bytes)} given back" if gone.freed_bytes else ""
    return "\n".join([f"deleted {runs}, {plural(gone.rows, 'row')}{freed}", *lines])
