"""A Gantt chart as SVG: one picture for documents; the text is escaped, nothing is loaded."""

from collections.abc import Iterable, Iterator

from planloom.cli.gantt import WAITS, Gantt, Lane, Mark, Span
from planloom.cli.paint import (
    COLOURS,
    FONT,
    MARKS,
    WORDS,
    beats_in,
    beside_mark,
    cost_scale,
    cost_words,
    kinds_in,
    safe,
    within,
)
from planloom.cli.words import one_line, seconds, usd

_WIDTH, _MARGIN = 1280, 28
_NAMES, _FACTS = 172, 138
_LEFT, _RIGHT = _MARGIN + _NAMES, _WIDTH - _MARGIN - _FACTS
_HEAD, _ROW, _BAR = 98, 28, 14
_COST = 58
_ELEMENTS = 6
"""Elements of a map that get a row of their own; the others show in the map's."""
_DENSE = 300
"""Elements of a map that show in its own row."""
_BEATS = {"model": "#4338ca", "tool": "#0d9488"}
_TICK_ROOM = 90
_LETTER = 6.1


class _Canvas:
    """Turns places on the axis into pixels."""

    def __init__(self, gantt: Gantt) -> None:
        self.length = max(gantt.axis.length, 1e-9)
        self.scale = (_RIGHT - _LEFT) / self.length

    def x(self, place: float) -> float:
        return round(_LEFT + place * self.scale, 1)


def as_svg(gantt: Gantt) -> str:
    """Draw a run from left to right, one row a node."""
    canvas = _Canvas(gantt)
    rows = list(_rows(gantt.lanes))
    bottom = _HEAD + len(rows) * _ROW
    legend = list(_legend(gantt))
    height = bottom + _COST + 62 + 20 * max((line for line, _ in legend), default=0)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}" font-family="{FONT}">',
        _hatches(),
        f'<rect width="{_WIDTH}" height="{height}" rx="12" fill="#f8fafc"/>',
        _text(_MARGIN, 34, gantt.title, 17, "#0f172a", weight=700, room=_WIDTH - 2 * _MARGIN),
        _text(_MARGIN, 54, gantt.subtitle, 12, "#64748b", room=_WIDTH - 2 * _MARGIN),
        *_grid(gantt, canvas, bottom + _COST),
        *(part for index, lane in enumerate(rows) for part in _row(lane, canvas, _HEAD + index * _ROW)),
        *_cost(gantt, canvas, bottom),
        *(f'<g transform="translate({_MARGIN},{bottom + _COST + 36 + 20 * line})">{item}</g>' for line, item in legend),
        "</svg>",
    ]
    return "\n".join(parts)


def _rows(lanes: Iterable[Lane]) -> Iterator[Lane]:
    for lane in lanes:
        yield lane
        if not lane.elements:
            continue
        loud = sorted(lane.elements, key=lambda element: element.state == "done" and not element.marks)
        shown = {element.name for element in loud[:_ELEMENTS]}
        yield from (element for element in lane.elements if element.name in shown)
        if len(lane.elements) > _ELEMENTS:
            yield Lane(name=f"… {len(lane.elements) - _ELEMENTS:,} more", state="done", facts="")


def _hatches() -> str:
    def hatch(name: str, ground: str, colour: str) -> str:
        return (
            f'<pattern id="{name}" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
            f'<rect width="6" height="6" fill="{ground}"/><rect width="2.2" height="6" fill="{colour}"/></pattern>'
        )

    return (
        f"<defs>{hatch('slot', '#f1f5f9', '#a3b1c4')}{hatch('human', '#fef3c7', '#f0a830')}"
        f"{hatch('cut', '#e2e8f0', '#94a3b8')}{hatch('pause', '#eef2f7', '#dde4ee')}</defs>"
    )


def _grid(gantt: Gantt, canvas: _Canvas, bottom: float) -> Iterator[str]:
    for second, place in gantt.axis.ticks(int((_RIGHT - _LEFT) / _TICK_ROOM)):
        x = canvas.x(place)
        yield f'<path d="M{x:g},{_HEAD - 8} V{bottom}" stroke="#e2e8f0"/>'
        yield _text(x, _HEAD - 14, _tick(second), 10.5, "#94a3b8", anchor="middle")
    for pause in gantt.axis.pauses:
        x, end = canvas.x(pause.start), canvas.x(pause.end)
        wide = max(2.0, end - x)
        told = f"nothing was under way for {seconds(pause.seconds)}"
        yield f'<g><title>{safe(told)}</title><rect x="{x:g}" y="{_HEAD - 8}" width="{wide:g}" '
        yield f'height="{bottom - _HEAD + 8}" fill="url(#pause)"/>'
        yield f'<path d="M{x:g},{_HEAD - 8} V{bottom} M{x + wide:g},{_HEAD - 8} V{bottom}" stroke="#cbd5e1" '
        yield 'stroke-dasharray="3 3"/>'
        yield _text(x + wide / 2, _HEAD - 28, f"pause {seconds(pause.seconds)}", 10.5, "#b45309", 600, anchor="middle")
        yield "</g>"


def _tick(second: float) -> str:
    return f"{second:g} s" if second < 100 else seconds(second)


def _row(lane: Lane, canvas: _Canvas, top: float) -> Iterator[str]:
    element = lane.name.endswith("]") or lane.name.startswith("…")
    ink = "#94a3b8" if lane.state in ("removed", "skipped", "pending") else "#475569" if element else "#0f172a"
    middle = top + _ROW / 2
    yield f'<path d="M{_MARGIN},{top + _ROW:g} H{_WIDTH - _MARGIN}" stroke="#eef2f7"/>'
    yield f"<g><title>{safe(lane.goal)}</title>"
    indent = 14 if element else 0
    size, weight = (11, 400) if element else (12.5, 600)
    name = _text(_MARGIN + indent, middle + 4, lane.name, size, ink, weight, room=_NAMES - 16 - indent)
    yield name.replace("<text ", '<text text-decoration="line-through" ', 1) if lane.state == "removed" else name
    yield "</g>"
    yield from (_thin(span, canvas, middle) for span in within(lane, _DENSE))
    for span in sorted(lane.spans, key=lambda span: span.kind not in WAITS):
        if not (lane.elements and span.kind == "map"):
            yield _bar(span, canvas, middle, 12 if beside_mark(lane, span, canvas.length) else 6)
    for beat in lane.beats:
        x, wide = canvas.x(beat.start), max(1.0, (beat.end - beat.start) * canvas.scale)
        at = f'x="{x:g}" y="{middle + _BAR / 2 + 1:g}" width="{wide:.1f}" height="2.5"'
        yield f'<rect {at} fill="{_BEATS[beat.kind]}">'
        yield f"<title>{safe(beat.title)}</title></rect>"
    yield from (_mark(mark, canvas.x(mark.at), middle) for mark in lane.marks)
    yield _text(_RIGHT + 14, middle + 4, lane.facts, 11, "#64748b", room=_FACTS)


def _thin(span: Span, canvas: _Canvas, middle: float) -> str:
    wide = max(1.5, (span.end - span.start) * canvas.scale)
    return (
        f'<rect x="{canvas.x(span.start):g}" y="{middle - 5:g}" width="{wide:.1f}" height="10" rx="2" '
        f'fill="{COLOURS[span.kind][0]}" fill-opacity="{0.85 if span.kind == "failed" else 0.3}"/>'
    )


def _bar(span: Span, canvas: _Canvas, middle: float, inset: float) -> str:
    x, wide = canvas.x(span.start), round(max(2.0, (span.end - span.start) * canvas.scale), 1)
    colour, top, high = COLOURS[span.kind][0], middle - _BAR / 2, float(_BAR)
    if span.kind == "needs":
        shape = f'<path d="M{x:g},{middle:g} h{wide:g}" stroke="{colour}" stroke-width="1.6" stroke-dasharray="2 3"/>'
        return f"<g><title>{safe(span.title)}</title>{shape}</g>"
    if span.kind in ("slot", "human", "cut"):
        colour = f"url(#{span.kind})"
    if span.kind in WAITS:
        top, high = middle - 4, 8.0
    shape = (
        f'<rect x="{x:g}" y="{top:g}" width="{wide:g}" height="{high:g}" rx="{min(3.0, wide / 2):g}" fill="{colour}"/>'
    )
    fits = span.label and wide >= _LETTER * len(span.label) + inset + 4
    ink = "#475569" if span.kind in ("cut", "map") else "#ffffff"
    label = _text(x + inset, middle + 3.6, span.label, 10, ink, 600, room=wide) if fits else ""
    if span.kind == "cut":
        label = label.replace("<text ", '<text paint-order="stroke" stroke="#e2e8f0" stroke-width="4" ', 1)
    return f"<g><title>{safe(span.title)}</title>{shape}{label}</g>"


def _mark(mark: Mark, x: float, middle: float) -> str:
    glyph, kind = MARKS[mark.kind]
    return (
        f'<g><title>{safe(mark.title)}</title><circle cx="{x:g}" cy="{middle:g}" r="8" fill="#ffffff" '
        f'stroke="{COLOURS[kind][0]}" stroke-width="1.6"/>'
        f"{_text(x, middle + 3.8, glyph, 11, COLOURS[kind][0], 700, anchor='middle')}</g>"
    )


def _cost(gantt: Gantt, canvas: _Canvas, top: float) -> Iterator[str]:
    if not gantt.costs[-1][1]:
        return
    most, capped = cost_scale(gantt)
    low = top + _COST - 4
    height = _COST - 14

    def y(amount: float) -> float:
        return round(low - amount / most * height, 1)

    steps = "".join(f" H{canvas.x(place):g} V{y(amount):g}" for place, amount in gantt.costs[1:])
    line = f"M{canvas.x(0):g},{low:g}{steps}"
    yield _text(_MARGIN, top + _COST / 2 + 8, "cost", 12.5, "#0f172a", 600)
    yield f'<path d="{line} V{low:g} Z" fill="#7c3aed" fill-opacity="0.1"/>'
    yield f'<path d="{line}" fill="none" stroke="#7c3aed" stroke-width="1.8" stroke-linejoin="round"/>'
    if capped and gantt.cap_usd is not None:
        at = y(gantt.cap_usd)
        yield f'<path d="M{_LEFT},{at:g} H{_RIGHT}" stroke="#dc2626" stroke-dasharray="5 4"/>'
        yield _text(_LEFT + 4, at - 4, f"cap {usd(gantt.cap_usd)}", 10, "#dc2626", 600)
    yield _text(_RIGHT + 14, top + _COST / 2 + 8, cost_words(gantt), 11, "#7c3aed", 600)


def _legend(gantt: Gantt) -> Iterator[tuple[int, str]]:
    """Yield the explanations, each with the number of its line."""
    spans, marks = kinds_in(gantt)
    items: list[tuple[str, str]] = []
    for kind in spans:
        fill = f"url(#{kind})" if kind in ("slot", "human", "cut") else COLOURS[kind][0]
        high = 2 if kind == "needs" else 10
        items.append((f'<rect y="{-high / 2 - 4:g}" width="18" height="{high}" rx="2" fill="{fill}"/>', WORDS[kind]))
    for mark in marks:
        glyph, kind = MARKS[mark]
        ring = f'<circle cx="9" cy="-4" r="7" fill="#ffffff" stroke="{COLOURS[kind][0]}" stroke-width="1.4"/>'
        items.append((ring + _text(9, -0.4, glyph, 10, COLOURS[kind][0], 700, anchor="middle"), mark))
    for beat in beats_in(gantt):
        items += [(f'<rect y="-6" width="18" height="3" fill="{_BEATS[beat]}"/>', f"{beat} call")]
    x, line = 0.0, 0
    for shape, words in items:
        wide = 42 + len(words) * _LETTER
        if x + wide > _WIDTH - 2 * _MARGIN:
            x, line = 0.0, line + 1
        yield line, f'<g transform="translate({x:g},0)">{shape}{_text(24, 0, words, 11, "#475569")}</g>'
        x += wide


def _text(
    x: float, y: float, text: str, size: float, fill: str, weight: int = 400, *, room: float = 0, anchor: str = "start"
) -> str:
    most = max(4, int(room / (size * (0.6 if weight >= 600 else 0.55)))) if room else 400
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" font-weight="{weight}" fill="{fill}" '
        f'text-anchor="{anchor}">{safe(one_line(text, most))}</text>'
    )
