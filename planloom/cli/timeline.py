"""A Gantt chart in a terminal: a line a node, readable without colours too."""

import math
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table as Grid
from rich.text import Text

from planloom.cli.axis import Axis
from planloom.cli.gantt import WAITS, Gantt, Lane, SpanKind
from planloom.cli.paint import MARKS, WORDS, cost_words, kinds_in
from planloom.cli.words import one_line, seconds

_CELLS: dict[SpanKind, tuple[str, str]] = {
    "needs": ("·", "bright_black"),
    "slot": ("░", "bright_black"),
    "human": ("▒", "yellow"),
    "map": ("━", "green"),
    "plan": ("━", "magenta"),
    "passed": ("━", "green"),
    "cut": ("┄", "yellow"),
    "running": ("─", "cyan"),
    "failed": ("╍", "red"),
}
"""What a span is drawn with; where two share a cell, the later one of this table is seen."""
_LEVELS = " ▁▂▃▄▅▆▇█"


def timeline(gantt: Gantt, width: int) -> RenderableType:
    """Draw when each node ran, in `width` columns."""
    lanes = [lane for lane in gantt.lanes if any(span.kind not in WAITS for span in lane.spans) or lane.marks]
    if not lanes:
        return Text("nothing ran", "bright_black")
    name_width = min(28, max(len(lane.name) for lane in lanes))
    facts_width = max(14, *(len(lane.facts) for lane in lanes), len(cost_words(gantt)))
    cells = max(10, width - name_width - facts_width - 6)
    grid = Grid.grid(padding=(0, 1))
    grid.add_column(no_wrap=True, overflow="ellipsis", width=name_width + 2)
    grid.add_column(no_wrap=True, width=cells)
    grid.add_column(no_wrap=True)
    for lane in lanes:
        grid.add_row(Text(f"  {one_line(lane.name)}"), _line(lane, gantt.axis, cells), Text(lane.facts, "bright_black"))
    if gantt.costs[-1][1]:
        grid.add_row(Text("  cost"), _sparkline(gantt, cells), Text(cost_words(gantt), "magenta"))
    return Group(_heading(gantt), grid, _legend(gantt))


def _heading(gantt: Gantt) -> Text:
    head = Text(f"time line, {seconds(gantt.axis.worked_s)}", "bold")
    for pause in gantt.axis.pauses:
        head.append(f", ┆ a pause of {seconds(pause.seconds)}", "yellow")
    return head


def _cell(place: float, axis: Axis, cells: int) -> int:
    return min(cells - 1, max(0, int(place / max(axis.length, 1e-9) * cells)))


def _line(lane: Lane, axis: Axis, cells: int) -> Text:
    row: list[tuple[str, str]] = [(" ", "")] * cells
    for pause in axis.pauses:
        row[_cell((pause.start + pause.end) / 2, axis, cells)] = ("┆", "yellow")
    parts = [*lane.spans, *(span for element in lane.elements for span in element.spans if span.kind not in WAITS)]
    order = list(_CELLS)
    for span in sorted(parts, key=lambda span: order.index(span.kind)):
        if lane.elements and span.kind == "map":
            continue
        first = _cell(span.start, axis, cells)
        final = max(first, _cell(span.end - 1e-9 * axis.length, axis, cells))
        row[first : final + 1] = [_CELLS[span.kind]] * (final + 1 - first)
    for mark in lane.marks:
        row[_cell(mark.at, axis, cells)] = (MARKS[mark.kind][0], "bold magenta")
    return _joined(row)


def _joined(row: Sequence[tuple[str, str]]) -> Text:
    line = Text()
    for cell, colour in row:
        line.append(cell, colour)
    return line


def _sparkline(gantt: Gantt, cells: int) -> Text:
    """Draw what had been spent by each moment."""
    spent = [0.0] * cells
    for place, amount in gantt.costs:
        spent[_cell(place, gantt.axis, cells)] = amount
    total, line = gantt.costs[-1][1], ""
    so_far = 0.0
    for amount in spent:
        so_far = max(so_far, amount)
        line += _LEVELS[math.ceil(so_far / total * (len(_LEVELS) - 1))]
    return Text(line, "magenta")


def _legend(gantt: Gantt) -> Text:
    spans, marks = kinds_in(gantt)
    legend = Text("  ")
    for kind in spans:
        legend.append(_CELLS[kind][0] * 2, _CELLS[kind][1]).append(f" {WORDS[kind]}   ", "bright_black")
    for mark in marks:
        legend.append(MARKS[mark][0], "bold magenta").append(f" {mark}   ", "bright_black")
    return legend
