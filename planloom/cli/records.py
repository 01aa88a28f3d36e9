"""What is already there: runs in the journal, rehearsal scripts."""

import asyncio
import json
import math
import time
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import typer
from rich.table import Table as Grid
from rich.text import Text

from planloom.cli.gantt import Gantt
from planloom.cli.gantt_html import as_html
from planloom.cli.gantt_svg import as_svg
from planloom.cli.lanes import gantt_of
from planloom.cli.lines import line
from planloom.cli.live import totals
from planloom.cli.report import record
from planloom.cli.words import INTERRUPTED, STATUS_COLOURS, console, one_line, seconds, usd
from planloom.core import events as ev
from planloom.core.view import RunView
from planloom.engine import Engine
from planloom.state.journal import RunSummary

_NEWEST = 10_000
"""A run that a process is at work on is among this many newest ones."""


@dataclass(frozen=True, slots=True)
class _Past:
    """A run as its journal tells it."""

    history: list[ev.AnyEvent]
    view: RunView
    live: bool
    """Whether a process is at work on it, where it has not ended; else it was cut off."""

    @property
    def now(self) -> float:
        """Seconds since the epoch up to which it is shown."""
        return self.view.ended_at or (time.time() if self.live else self.history[-1].at)

    def gantt(self) -> Gantt:
        """Lay its time line out."""
        status = self.view.status if self.live else INTERRUPTED
        facts = [self.view.run_id, status, totals(self.view, self.now).plain.strip()]
        badge = ["REHEARSAL"] if self.view.rehearsal else []
        return gantt_of(self.history, self.now, " · ".join([*facts, *badge]), live=self.live)


async def _read(run_id: str, journal: str | None) -> _Past:
    async with Engine(journal=journal, retention_s=math.inf) as engine:
        history = await engine.history(run_id)
        view = RunView(history)
        return _Past(history, view, view.status != "running" or await is_live(engine, view.run_id))


async def show(run_id: str, journal: str | None, *, events: bool, as_json: bool) -> None:
    """Print the record of a run, or its events.

    Raises:
        RunError: There is no such run.
    """
    past = await _read(run_id, journal)
    view = past.view
    if events:
        for event in past.history:
            typer.echo(_event_json(event) if as_json else line(event, view.started_at))
    elif as_json:
        typer.echo(json.dumps(view.result().as_json(), ensure_ascii=False))
    else:
        gantt = past.gantt()
        if not past.live:
            for node in view.nodes.values():
                node.interrupt(past.history[-1].at)
        screen = console()
        screen.print(record(view, gantt, past.now, screen.width, live=past.live))


async def draw(run_id: str, journal: str | None, *, html: bool) -> str:
    """Return the time line of a run as a picture, or as a page.

    Raises:
        RunError: There is no such run.
    """
    gantt = (await _read(run_id, journal)).gantt()
    return as_html(gantt) if html else as_svg(gantt)


async def artifact(run_id: str, digest: str, journal: str | None, output: Path | None) -> None:
    """Print an artifact, or write it to a file.

    Raises:
        RunError: There is no such run, or it has no such artifact.
    """
    async with Engine(journal=journal, retention_s=math.inf) as engine:
        data = await engine.artifact(run_id, digest)
    if output is not None:
        await asyncio.to_thread(output.write_bytes, data)
    else:
        typer.echo(data, nl=False)


async def is_live(engine: Engine, run_id: str) -> bool:
    """Tell whether a process is at work on a run."""
    return any(run.run_id == run_id and run.live for run in await engine.runs(_NEWEST))


def _event_json(event: ev.AnyEvent) -> str:
    return f'{{"type":"{type(event).__name__}",' + ev.encode(event).decode()[1:]


async def runs(limit: int, journal: str | None, *, as_json: bool) -> None:
    """List runs, the newest first."""
    async with Engine(journal=journal, retention_s=math.inf) as engine:
        found = await engine.runs(limit)
    if as_json:
        typer.echo(json.dumps([asdict(run) for run in found], ensure_ascii=False))
        return
    if not found:
        typer.echo("no runs yet", err=True)
        return
    grid = Grid(box=None, padding=(0, 1), header_style="bright_black", expand=True)
    for name in ("run", "status", "started", "took", "cost"):
        grid.add_column(name, no_wrap=True)
    grid.add_column("workflow", no_wrap=True, overflow="ellipsis", ratio=1)
    for run in found:
        grid.add_row(
            Text(run.run_id),
            _status(run),
            _moment(run.started_at),
            seconds(run.ended_at - run.started_at) if run.ended_at is not None else "",
            usd(run.cost_usd),
            Text(one_line(run.name)).append(" REHEARSAL" if run.rehearsal else "", "yellow"),
        )
    console().print(grid)


def _status(run: RunSummary) -> Text:
    status = run.status if run.live or run.status != "running" else INTERRUPTED
    return Text(status, STATUS_COLOURS[status])


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M")
