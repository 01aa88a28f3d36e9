"""Runs driven from the command line: start or resume, watch, report, exit code."""

import asyncio
import json
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, redirect_stdout, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import typer
from rich.console import Console

from planloom.cli.hints import command
from planloom.cli.journals import journal_at
from planloom.cli.lines import line
from planloom.cli.live import on_screen
from planloom.cli.observing import logged, observers
from planloom.cli.options import LogWish
from planloom.cli.report import EXIT_CODES, closing, counts, print_result, summary
from planloom.cli.words import pretty
from planloom.configs.load import Workflow
from planloom.core.answer import Answer
from planloom.core.events import AnyEvent, RunResumed
from planloom.core.json import Json
from planloom.core.result import RunResult
from planloom.core.view import RunView
from planloom.engine import Engine
from planloom.handle import RunHandle
from planloom.state.place import Opening

_TERMINATED = 128 + signal.SIGTERM
_SIGTERM = "SIGTERM"


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
    drain_s: float = 20.0
    """Seconds that attempts under way have to end after SIGTERM."""
    base_url: str | None = None
    rehearsal: Path | None = None
    journal: str | None = None
    otel: bool = False
    """Send traces."""
    log: LogWish = field(default_factory=LogWish)

    def engine(self, opening: Opening = "make") -> Engine:
        """Return the engine these wishes describe."""
        return Engine(
            journal=journal_at(self.journal, opening),
            base_url=self.base_url,
            rehearsal=self.rehearsal,
            observers=observers(otel=self.otel, logs=self.log.on),
        )


def how_to_show(*, as_json: bool, plain: bool) -> Show:
    """Pick the display: the screen only where standard output is a terminal that can redraw."""
    if as_json:
        return Show.JSON
    console = Console()
    return Show.LINES if plain or not console.is_terminal or console.is_dumb_terminal else Show.SCREEN


def work_off(work: Coroutine[None, None, int], wishes: Wishes) -> int:
    """Return the exit code of `work`, logged meanwhile as it is wished."""
    with logged(wishes.log):
        return asyncio.run(until_terminated(work))


def _quiet(show: Show) -> AbstractContextManager[object]:
    """Send what the user's own functions print to standard error where standard output is one JSON document."""
    return redirect_stdout(sys.stderr) if show is Show.JSON else nullcontext()


async def start(workflow: Workflow, inputs: Mapping[str, Json], wishes: Wishes) -> int:
    """Run a workflow to its end and return the exit code."""
    async with wishes.engine() as engine:
        with _quiet(wishes.show):
            handle = await engine.submit(workflow, inputs)
            result = await _watch(handle, wishes)
        return await _to_the_end(engine, handle, result, wishes)


async def take_up(
    run_id: str,
    approvals: Mapping[str, bool | Answer],
    wishes: Wishes,
    *,
    budget: Mapping[str, Json] | None = None,
    workflow: Workflow | None = None,
) -> int:
    """Resume a run and return the exit code."""
    async with wishes.engine("upgrade") as engine:
        with _quiet(wishes.show):
            handle, result = await _resumed(engine, run_id, approvals, wishes, budget, workflow)
        return await _to_the_end(engine, handle, result, wishes)


async def until_terminated(work: Coroutine[None, None, int]) -> int:
    """Return the exit code of `work`; SIGTERM drains it, Ctrl-C cancels it. A second SIGTERM kills."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    told = False

    def stop() -> None:
        nonlocal told
        told = True
        loop.remove_signal_handler(signal.SIGTERM)
        if task is not None:
            task.cancel(_SIGTERM)

    with suppress(NotImplementedError, RuntimeError):  # no such signals on this system, or not the main thread
        loop.add_signal_handler(signal.SIGTERM, stop)
    try:
        return await work
    except asyncio.CancelledError:
        if not told:
            raise
        return _TERMINATED


async def _resumed(
    engine: Engine,
    run_id: str,
    approvals: Mapping[str, bool | Answer],
    wishes: Wishes,
    budget: Mapping[str, Json] | None = None,
    workflow: Workflow | None = None,
) -> tuple[RunHandle, RunResult]:
    """Take a run up and watch what is new: its past was seen when it happened."""
    handle = await engine.reopen(run_id, approvals, budget=budget, workflow=workflow)
    done, total = counts(handle.view.result())
    past = await engine.history(handle.run_id)
    after = max(number for number, event in enumerate(past, start=1) if isinstance(event, RunResumed))
    if wishes.show is Show.LINES:
        typer.echo(f"resumed: {done} of {total} nodes were done")
    return handle, await _watch(handle, wishes, after)


async def _to_the_end(engine: Engine, handle: RunHandle, result: RunResult, wishes: Wishes) -> int:
    while result.status == "waiting" and wishes.approve is not None:
        answers: dict[str, bool | Answer] = {str(item.node_id or "plan"): wishes.approve for item in result.pending}
        with _quiet(wishes.show):
            handle, result = await _resumed(engine, result.run_id, answers, wishes)
    if wishes.output is not None and result.output is not None:
        wishes.output.write_text(pretty(result.output) + "\n", encoding="utf-8")
    try:
        _report(result, handle.view, wishes)
    except BrokenPipeError:
        _say_closed(handle, wishes.journal)
        raise
    return EXIT_CODES[result.status]


async def _watch(handle: RunHandle, wishes: Wishes, after: int = 0) -> RunResult:
    try:
        with _display(handle.view, wishes.show) as seen:
            async for event in handle.events(after):
                seen(event)
            return await handle.result()
    except asyncio.CancelledError as exc:
        await handle.drain(wishes.drain_s if _SIGTERM in exc.args else 0.0)
        typer.echo(f"interrupted; go on with: {command('resume', handle.run_id, journal=wishes.journal)}", err=True)
        raise
    except BrokenPipeError:
        await handle.cancel()
        _say_closed(handle, wishes.journal)
        raise


def _say_closed(handle: RunHandle, journal: str | None) -> None:
    if handle.view.status == "cancelled":
        again = command("resume", handle.run_id, journal=journal)
        message = f"the output was closed, so the run was cancelled; go on with: {again}"
    else:
        again = command("show", handle.run_id, journal=journal)
        message = f"the output was closed; the run is {handle.view.status}, see: {again}"
    typer.echo(message, err=True)


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


def _report(result: RunResult, view: RunView, wishes: Wishes) -> None:
    if wishes.show is Show.JSON:
        typer.echo(json.dumps(result.as_json(), ensure_ascii=False))
        return
    console = Console()
    if wishes.show is Show.SCREEN:
        console.print(summary(view, view.ended_at or time.time()))
    else:
        typer.echo(closing(result))
    print_result(console, view, wishes.journal)
