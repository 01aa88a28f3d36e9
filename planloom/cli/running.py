"""Runs driven from the command line: start or resume, watch, report, exit code."""

import asyncio
import json
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import typer
from rich.console import Console

from planloom.cli.lines import line
from planloom.cli.live import on_screen
from planloom.cli.report import EXIT_CODES, closing, print_result, summary
from planloom.cli.words import pretty
from planloom.configs.load import Workflow
from planloom.core.errors import ConfigError, Problem
from planloom.core.events import AnyEvent
from planloom.core.json import Json
from planloom.core.result import RunResult
from planloom.core.view import RunView
from planloom.engine import Engine
from planloom.handle import RunHandle


class Show(StrEnum):
    """How a run is shown."""

    SCREEN = "screen"
    LINES = "lines"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the user asked for, besides the workflow."""

    show: Show
    approve: bool | None = None
    """Answer to everything that would wait for a human; `None` lets it wait."""
    output: Path | None = None
    """File for the run's output."""
    base_url: str | None = None
    rehearsal: Path | None = None
    journal: str | None = None

    def engine(self) -> Engine:
        """Return the engine these wishes describe."""
        return Engine(journal=self.journal, base_url=self.base_url, rehearsal=self.rehearsal)


def how_to_show(*, as_json: bool, plain: bool) -> Show:
    """Pick the display: the screen only where standard output is a terminal that can redraw."""
    if as_json:
        return Show.JSON
    console = Console()
    return Show.LINES if plain or not console.is_terminal or console.is_dumb_terminal else Show.SCREEN


async def start(workflow: Workflow, inputs: Mapping[str, Json], wishes: Wishes) -> int:
    """Run a workflow to its end and return the exit code."""
    _check_target(wishes.output)
    async with wishes.engine() as engine:
        handle = await engine.submit(workflow, inputs)
        return await _to_the_end(engine, handle, wishes)


async def take_up(run_id: str, approvals: Mapping[str, bool], wishes: Wishes) -> int:
    """Resume a run and return the exit code."""
    _check_target(wishes.output)
    async with wishes.engine() as engine:
        handle = await engine.reopen(run_id, approvals)
        return await _to_the_end(engine, handle, wishes)


async def _to_the_end(engine: Engine, handle: RunHandle, wishes: Wishes) -> int:
    result = await _watch(handle, wishes.show)
    while result.status == "waiting" and wishes.approve is not None:
        answers = {str(item.node_id or "plan"): wishes.approve for item in result.pending}
        handle = await engine.reopen(result.run_id, answers)
        result = await _watch(handle, wishes.show)
    if wishes.output is not None and result.output is not None:
        wishes.output.write_text(pretty(result.output) + "\n", encoding="utf-8")
    _report(result, handle.view, wishes.show)
    return EXIT_CODES[result.status]


async def _watch(handle: RunHandle, show: Show) -> RunResult:
    try:
        with _display(handle.view, show) as seen:
            async for event in handle.events():
                seen(event)
            return await handle.result()
    except asyncio.CancelledError:
        await handle.cancel()
        typer.echo(f"interrupted; go on with: planloom resume {handle.run_id}", err=True)
        raise


@contextmanager
def _display(view: RunView, show: Show) -> Generator[Callable[[AnyEvent], None]]:
    def nothing(event: AnyEvent) -> None:
        pass

    def one_line(event: AnyEvent) -> None:
        typer.echo(line(event, view.started_at or event.at))

    if show is Show.SCREEN:
        with on_screen(Console(), view):
            yield nothing
    else:
        yield one_line if show is Show.LINES else nothing


def _report(result: RunResult, view: RunView, show: Show) -> None:
    if show is Show.JSON:
        typer.echo(json.dumps(result.as_json(), ensure_ascii=False))
        return
    console = Console()
    if show is Show.SCREEN:
        console.print(summary(view, view.ended_at or time.time()))
    else:
        typer.echo(closing(result))
    print_result(console, result)


def _check_target(path: Path | None) -> None:
    if path is None:
        return
    if path.is_dir() or not path.resolve().parent.is_dir():
        raise ConfigError(path, [Problem("expected a file in a folder that exists", "--output")])
