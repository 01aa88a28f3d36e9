"""What is already there: runs in the journal, rehearsal scripts."""

import asyncio
import json
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
from planloom.cli.journals import journal_at, nothing_yet
from planloom.cli.lanes import gantt_of
from planloom.cli.lines import line
from planloom.cli.live import totals
from planloom.cli.report import record
from planloom.cli.words import STATUS_COLOURS, console, one_line, seconds, usd
from planloom.core import events as ev
from planloom.core.view import RunView
from planloom.state.artifacts import Artifacts
from planloom.state.journal import RunSummary


@dataclass(frozen=True, slots=True)
class _Past:
    """A run as its journal tells it."""

    history: list[ev.AnyEvent]
    view: RunView

    @property
    def now(self) -> float:
        """Seconds since the epoch up to which it is shown."""
        return self.view.ended_at or time.time()

    def gantt(self) -> Gantt:
        """Lay its time line out."""
        facts = [self.view.run_id, self.view.status, totals(self.view, self.now).plain.strip()]
        badge = ["REHEARSAL"] if self.view.rehearsal else []
        return gantt_of(self.history, self.now, " · ".join([*facts, *badge]), live=self.view.status == "running")


async def _read(run_id: str, journal: str | None) -> _Past:
    async with journal_at(journal) as found:
        view = await found.view(run_id)
        history = await found.events(view.run_id)
        return _Past(history, view)


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
        screen = console()
        screen.print(record(view, past.gantt(), past.now, screen.width, journal))


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
    async with journal_at(journal) as found:
        data = await Artifacts(found, await found.find(run_id)).fetch(digest)
    if output is not None:
        await asyncio.to_thread(output.write_bytes, data)
    else:
        typer.echo(data, nl=False)


def _event_json(event: ev.AnyEvent) -> str:
    return f'{{"type":"{type(event).__name__}",' + ev.encode(event).decode()[1:]


async def runs(limit: int, journal: str | None, *, as_json: bool) -> None:
    """List runs, the newest first."""
    found: list[RunSummary] = []
    if not nothing_yet(journal):
        async with journal_at(journal) as at:
            found = await at.runs(limit)
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
            Text(run.status, STATUS_COLOURS[run.status]),
            _moment(run.started_at),
            seconds(run.ended_at - run.started_at) if run.ended_at is not None else "",
            usd(run.cost_usd),
            Text(one_line(run.name)).append(" REHEARSAL" if run.rehearsal else "", "yellow"),
        )
    console().print(grid)


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M")
