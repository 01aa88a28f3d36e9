"""What the pictures of a run have in common: colours by kind, words for the legend, escaped text."""

import re
from collections.abc import Iterator, Mapping
from html import escape

from planloom.cli.gantt import WAITS, Gantt, Lane, MarkKind, Span, SpanKind
from planloom.cli.words import ACTION_MARKS, usd

FONT = "ui-sans-serif, system-ui, 'Segoe UI', Helvetica, Arial, 'DejaVu Sans', sans-serif"
COLOURS: Mapping[SpanKind, tuple[str, str]] = {
    "passed": ("#16a34a", "#22c55e"),
    "failed": ("#dc2626", "#f87171"),
    "running": ("#0891b2", "#22d3ee"),
    "cut": ("#94a3b8", "#64748b"),
    "plan": ("#7c3aed", "#a78bfa"),
    "map": ("#86c7a0", "#3f7d58"),
    "needs": ("#a9b6c8", "#475569"),
    "slot": ("#94a3b8", "#64748b"),
    "human": ("#d97706", "#fbbf24"),
}
"""Colour of a span on light ground, and on dark."""
WORDS: Mapping[SpanKind, str] = {
    "passed": "passed its checks",
    "failed": "failed",
    "running": "running",
    "cut": "cut off",
    "plan": "planner",
    "map": "map",
    "needs": "waits for nodes",
    "slot": "waits for a place",
    "human": "waits for a human",
}
MARKS: Mapping[MarkKind, tuple[str, SpanKind]] = {
    "start": (ACTION_MARKS["start"], "plan"),
    "retry": (ACTION_MARKS["retry"], "failed"),
    "vote": (ACTION_MARKS["vote"], "plan"),
    "promote": (ACTION_MARKS["promote"], "plan"),
    "keep": (ACTION_MARKS["keep"], "passed"),
    "replan": (ACTION_MARKS["replan"], "plan"),
    "ask": (ACTION_MARKS["ask"], "human"),
    "stop": (ACTION_MARKS["stop"], "failed"),
    "held": ("‖", "human"),
    "approved": ("✓", "passed"),
    "rejected": ("✗", "failed"),
    "round": ("◆", "plan"),
    "dissent": ("≠", "human"),
}
"""Glyph of a mark, and whose colour it has."""
_CAP_NEAR = 3.0
"""A cap is drawn as a line where it is at most so many times what was spent: else the cost would lie flat."""
_MARK_SHARE = 0.008
"""Half the width of a mark, as a share of the axis."""
_UNFIT = re.compile("[\ud800-\udfff\ufffe\uffff]")


def safe(text: str) -> str:
    """Escape text for XML and HTML, also within quotes; what neither can hold is replaced."""
    return escape(_UNFIT.sub("\N{REPLACEMENT CHARACTER}", text))


def everything(lanes: tuple[Lane, ...]) -> Iterator[Lane]:
    """Yield all rows, those of map elements too."""
    for lane in lanes:
        yield lane
        yield from lane.elements


def beside_mark(lane: Lane, span: Span, length: float) -> bool:
    """Tell whether a mark covers the beginning of a span, on an axis of that length."""
    return any(abs(mark.at - span.start) < _MARK_SHARE * length for mark in lane.marks)


def within(lane: Lane, most: int) -> list[Span]:
    """Return what the first elements of a map did, to be drawn into the map's own row; failures lie on top."""
    spans = [span for element in lane.elements[:most] for span in element.spans if span.kind not in WAITS]
    return sorted(spans, key=lambda span: span.kind == "failed")


def kinds_in(gantt: Gantt) -> tuple[list[SpanKind], list[MarkKind]]:
    """Return the kinds of spans and marks that a legend must explain, in the order of the tables.

    A map with elements is drawn through them.
    """
    lanes = list(everything(gantt.lanes))
    spans = {span.kind for lane in lanes for span in lane.spans if not (lane.elements and span.kind == "map")}
    marks = {mark.kind for lane in lanes for mark in lane.marks}
    return [kind for kind in WORDS if kind in spans], [kind for kind in MARKS if kind in marks]


def beats_in(gantt: Gantt) -> list[str]:
    """Return the kinds of calls that a legend must explain."""
    return sorted({beat.kind for lane in everything(gantt.lanes) for beat in lane.beats})


def cost_scale(gantt: Gantt) -> tuple[float, bool]:
    """Return the US dollars at the top of the cost's scale, and whether the cap is drawn below it."""
    spent = gantt.costs[-1][1]
    near = gantt.cap_usd is not None and 0 < gantt.cap_usd <= _CAP_NEAR * max(spent, 1e-12)
    return max(spent, gantt.cap_usd or 0.0 if near else 0.0, 1e-9) * 1.12, near


def cost_words(gantt: Gantt) -> str:
    """Say what was spent, and of how much."""
    spent = gantt.costs[-1][1]
    return usd(spent) if gantt.cap_usd is None else f"{usd(spent)} of {usd(gantt.cap_usd)}"
