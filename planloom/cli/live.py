"""The screen of a running plan: a pure function of the run's view."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table as Grid
from rich.text import Text

from planloom.cli.rails import MARK, rails
from planloom.cli.rows import Row, Table, base_of, table
from planloom.cli.words import (
    ACTION_MARKS,
    COLOURS,
    ICONS,
    STATUS_COLOURS,
    one_line,
    plural,
    seconds,
    tokens,
    usd,
)
from planloom.core.result import DecisionRecord, NodeState, PendingApproval
from planloom.core.view import RunView

_SPIN = "◐◓◑◒"
_URGENT: tuple[NodeState, ...] = ("running", "failed", "held", "done", "pending", "skipped", "removed")
"""What is shown first when not all nodes fit."""
_DECISIONS = 4
_REDRAW_S = 0.1


def screen(view: RunView, *, height: int, now: float, lines_max: int = 10) -> RenderableType:
    """Draw the run as it stands at `now` (seconds since the epoch) in fewer than `height` lines.

    A plan whose edges need more than `lines_max` columns is listed without them.
    """
    drawn = table(view, now)
    room = max(3, height - 5 - len(view.decisions[-_DECISIONS:]) - len(view.pending))
    parts: list[RenderableType] = [heading(view), nodes_grid(drawn, room, now, lines_max)]
    if view.decisions:
        parts.append(decisions(view.decisions[-_DECISIONS:]))
    parts += [Text(f"  ? {_waits(item)}", "yellow") for item in view.pending.values()]
    parts.append(totals(view, now))
    return Group(*parts)


def _waits(item: PendingApproval) -> str:
    return f"{item.node_id or 'the plan'} waits for a human: {one_line(item.reason)}"


def heading(view: RunView) -> Text:
    """Name, run id, state, and the badge of a rehearsal."""
    line = Text.assemble((view.name or "run", "bold"), " ", (view.run_id, "bright_black"), " ")
    line.append(view.status, STATUS_COLOURS[view.status])
    if view.plan is None and view.drafts:
        line.append(f" {plural(len(view.drafts), 'plan')} written, to be compared", "bright_black")
    if view.plan and view.plan.version > 1:
        line.append(f" plan v{view.plan.version}", "magenta")
    if view.rehearsal:
        line.append("  ").append(" REHEARSAL ", "bold black on yellow")
        line.append(" scripted, no model was asked", "yellow")
    return line


def nodes_grid(drawn: Table, room: int, now: float, lines_max: int = 10) -> RenderableType:
    """List the nodes in at most `room` lines: with their edges when all fit, else what matters most first."""
    if not drawn.rows:
        return Text("  the planner is at work", "bright_black")
    rows = drawn.rows
    lines = rails([row.id for row in rows], drawn.edges, lines_max) if len(rows) <= room else None
    grid = Grid.grid(padding=(0, 1), expand=True)
    for column in ("name", "rung"):
        grid.add_column(column, no_wrap=True, overflow="ellipsis", max_width=48)
    for column in ("tries", "seconds", "cost"):
        grid.add_column(column, no_wrap=True, justify="right")
    grid.add_column("note", no_wrap=True, overflow="ellipsis", ratio=1)
    shown = rows if len(rows) <= room else urgent(rows)[: room - 1]
    for row in shown:
        _add(grid, row, lines[row.id] if lines else MARK, now)
    if len(shown) == len(rows):
        return grid
    return Group(grid, Text(_hidden(rows, shown), "bright_black"))


def urgent(rows: Sequence[Row]) -> list[Row]:
    """Sort rows by what a watcher needs to see: running, failed and held, then the newest of the done."""
    rank = {state: index for index, state in enumerate(_URGENT)}
    newest = {row.id: -index if row.state == "done" else index for index, row in enumerate(rows)}
    return sorted(rows, key=lambda row: (rank[row.state], newest[row.id]))


def _hidden(rows: Sequence[Row], shown: Sequence[Row]) -> str:
    counts = Counter(row.state for row in rows)
    counts.subtract(Counter(row.state for row in shown))
    return f"… {len(rows) - len(shown):,} more: " + ", ".join(
        f"{count:,} {state}" for state in _URGENT if (count := counts[state])
    )


def _add(grid: Grid, row: Row, line: str, now: float) -> None:
    icon = _SPIN[int(now * 8) % len(_SPIN)] if row.state == "running" else ICONS[row.state]
    before, _, after = line.partition(MARK)
    name = Text.assemble((before, "bright_black"), (icon, COLOURS[row.state]), (after, "bright_black"), " ")
    name.append(row.name, "bold" if row.state == "running" else "")
    grid.add_row(
        name,
        Text(one_line(row.rung), "magenta"),
        Text(f"×{row.attempts}" if row.attempts > 1 and row.total is None else "", "yellow"),
        Text(seconds(row.seconds)),
        Text(usd(row.cost_usd) if row.cost_usd else ""),
        Text(one_line(row.note), _note_colour(row)),
    )


def _note_colour(row: Row) -> str:
    return {"failed": "red", "held": "yellow"}.get(row.state, "red" if row.broken else "bright_black")


def decisions(records: Sequence[DecisionRecord], *, since: float | None = None) -> RenderableType:
    """List what the router decided; with the start of the run in `since`, also when it did."""
    grid = Grid.grid(padding=(0, 1), expand=True)
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True, overflow="ellipsis", max_width=40)
    grid.add_column(overflow="ellipsis", no_wrap=since is None, ratio=1)
    for record in records:
        mark = f"{ACTION_MARKS[record.action]} {record.action}"
        at = f"{record.at - since:7.2f}s " if since is not None else ""
        where = f"{record.node_id} → {record.rung}" if record.rung else str(record.node_id)
        reason = Text(one_line(record.reason), "bright_black")
        grid.add_row(Text(f"  {at}{mark}", "magenta"), Text(where), reason)
    return grid


def totals(view: RunView, now: float) -> Text:
    """Nodes done, cost beside its cap, calls, tokens, seconds, replans."""
    plain = (node for node_id, node in view.nodes.items() if base_of(node_id) == node_id)
    states = Counter(node.state for node in plain if node.state != "removed")
    end = view.ended_at if view.ended_at is not None else now
    parts = [
        f"{states['done']:,}/{sum(states.values()):,} nodes",
        usd(view.cost_usd) + _of(view, "usd", usd),
        f"{view.usage.calls:,}{_of(view, 'calls', lambda cap: f'{cap:,.0f}')} calls",
        f"{tokens(view.usage.tokens)}{_of(view, 'tokens', lambda cap: tokens(round(cap)))} tokens",
        seconds(max(0.0, end - view.started_at)) if view.started_at else "",
        plural(view.replans, "replan") if view.replans else "",
    ]
    line = Text("  ").append(" · ".join(part for part in parts if part), "bold")
    planning = view.cost_usd - sum(node.cost_usd for node in view.nodes.values())
    if planning > 1e-9:
        line.append(f" · {usd(planning)} of it for planning")
    if states["failed"]:
        line.append(f" · {states['failed']} failed", "bold red")
    return line


def _of(view: RunView, limit: str, write: Callable[[float], str]) -> str:
    budget = view.workflow.get("budget")
    cap = budget.get(limit) if isinstance(budget, dict) else None
    if isinstance(cap, str):
        return f" of {cap}"
    return f" of {write(cap)}" if isinstance(cap, int | float) else ""


@contextmanager
def on_screen(console: Console, view: RunView) -> Generator[None]:
    """Redraw the run on the terminal until the block is left, then clear the drawing.

    Redraws happen on a timer of the running event loop, so that the view never changes under the drawing;
    one that takes long is followed by a longer pause.
    """
    loop = asyncio.get_running_loop()
    with Live(console=console, auto_refresh=False, transient=True, vertical_overflow="crop") as live:
        timer: asyncio.TimerHandle

        def draw() -> None:
            nonlocal timer
            began = time.perf_counter()
            live.update(screen(view, height=console.height, now=time.time()), refresh=True)
            timer = loop.call_later(max(_REDRAW_S, 10 * (time.perf_counter() - began)), draw)

        timer = loop.call_later(0, draw)
        try:
            yield
        finally:
            timer.cancel()
