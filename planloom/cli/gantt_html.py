"""A Gantt chart as one HTML file: no script, nothing loaded, light and dark, wide and narrow.

Zoom, filter and folding are plain HTML and CSS, so that the page can forbid every script: whatever a model
wrote into a goal or a message stays text.
"""

from collections.abc import Iterator

from planloom.cli.gantt import WAITS, Beat, Gantt, Lane, Mark, Span
from planloom.cli.gantt_style import style
from planloom.cli.paint import MARKS, WORDS, beats_in, beside_mark, cost_scale, cost_words, kinds_in, safe, within
from planloom.cli.words import seconds, usd

_FOLDED = 8
"""Maps with more elements than this start folded."""
_DENSE = 300
"""Elements of a folded map that show in its own row."""
_TICKS = 12


def as_html(gantt: Gantt) -> str:
    """Write the page."""
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{safe(gantt.title)}: time line</title>",
            f"<style>{style()}</style></head><body>",
            f"<header><h1>{safe(gantt.title)}</h1><p>{safe(gantt.subtitle)}</p>{_controls()}</header>",
            '<main><div class="chart">',
            *_axis(gantt),
            *(_rows(gantt)),
            *_cost(gantt),
            "</div></main>",
            *_legend(gantt),
            "</body></html>",
        ]
    )


def _controls() -> str:
    zooms = "".join(
        f'<label><input type="radio" name="zoom" id="z{times}"{" checked" if times == 1 else ""}>{times}×</label>'
        for times in (1, 3, 10)
    )
    only = '<label><input type="checkbox" id="only">only what failed, waited or was decided on</label>'
    return f"<form><span>zoom</span>{zooms}{only}</form>"


def _axis(gantt: Gantt) -> Iterator[str]:
    length = max(gantt.axis.length, 1e-9)
    yield '<div class="row axis"><div class="name"></div><div class="lane">'
    for second, place in gantt.axis.ticks(_TICKS):
        word = f"{second:g} s" if second < 100 else seconds(second)
        first = "" if place else " first"
        yield f'<b class="tick{first}" style="left:{_percent(place, length)}">{word}</b>'
    for pause in gantt.axis.pauses:
        yield f'<b class="tick paused" style="left:{_percent((pause.start + pause.end) / 2, length)}">'
        yield f"pause {seconds(pause.seconds)}</b>"
    yield '</div><div class="facts"></div></div><div class="grid">'
    for _, place in gantt.axis.ticks(_TICKS):
        yield f'<i style="left:{_percent(place, length)}"></i>'
    for pause in gantt.axis.pauses:
        at = f"left:{_percent(pause.start, length)};width:{_percent(pause.end - pause.start, length)}"
        yield f'<i class="pause" style="{at}"></i>'
    yield "</div>"


def _percent(part: float, length: float) -> str:
    return f"{part / length * 100:.3f}%"


def _rows(gantt: Gantt) -> Iterator[str]:
    length = max(gantt.axis.length, 1e-9)
    for lane in gantt.lanes:
        if not lane.elements:
            yield _row(lane, length)
            continue
        loud = any(_loud(element) for element in lane.elements)
        opened = " open" if len(lane.elements) <= _FOLDED else ""
        quiet = "" if loud or _loud(lane) else "quiet"
        yield f'<details class="{quiet}"{opened}><summary>{_row(lane, length)}</summary>'
        yield from (_row(element, length, "element") for element in lane.elements)
        yield "</details>"


def _loud(lane: Lane) -> bool:
    """Tell whether something went otherwise than straight through."""
    return bool(lane.marks) or any(span.kind in ("failed", "cut", "slot", "human", "running") for span in lane.spans)


def _row(lane: Lane, length: float, more: str = "") -> str:
    quiet = "" if _loud(lane) or any(_loud(element) for element in lane.elements) else " quiet"
    dense = (_span(span, length, " thin") for span in within(lane, _DENSE))
    spans = (
        _span(span, length, " after" if beside_mark(lane, span, length) else "")
        for span in sorted(lane.spans, key=lambda span: span.kind not in WAITS)
        if not (lane.elements and span.kind == "map")
    )
    beats = (_beat(beat, length) for beat in lane.beats)
    marks = (_mark(mark, length) for mark in lane.marks)
    return (
        f'<div class="row {lane.state} {more}{quiet}">'
        f'<div class="name" title="{safe(lane.goal)}">{safe(lane.name)}</div>'
        f'<div class="lane">{"".join([*dense, *spans, *beats, *marks])}</div>'
        f'<div class="facts">{safe(lane.facts)}</div></div>'
    )


def _span(span: Span, length: float, more: str = "") -> str:
    at = f"left:{_percent(span.start, length)};width:{_percent(span.end - span.start, length)}"
    label = f"<u>{safe(span.label)}</u>" if span.label and more != " thin" else ""
    return f'<i class="s {span.kind}{more}" style="{at}" title="{safe(span.title)}">{label}</i>'


def _beat(beat: Beat, length: float) -> str:
    at = f"left:{_percent(beat.start, length)};width:{_percent(beat.end - beat.start, length)}"
    return f'<i class="beat {beat.kind}" style="{at}" title="{safe(beat.title)}"></i>'


def _mark(mark: Mark, length: float) -> str:
    glyph, kind = MARKS[mark.kind]
    return f'<i class="m {kind}" style="left:{_percent(mark.at, length)}" title="{safe(mark.title)}">{glyph}</i>'


def _cost(gantt: Gantt) -> Iterator[str]:
    if not gantt.costs[-1][1]:
        return
    most, capped = cost_scale(gantt)
    length = max(gantt.axis.length, 1e-9)
    steps = "".join(f"H{place / length * 1000:.2f}V{100 - spent / most * 100:.2f}" for place, spent in gantt.costs[1:])
    yield '<div class="row cost"><div class="name">cost</div><div class="lane">'
    yield f'<svg viewBox="0 0 1000 100" preserveAspectRatio="none"><path class="area" d="M0,100{steps}V100Z"/>'
    yield f'<path class="line" d="M0,100{steps}"/></svg>'
    if capped and gantt.cap_usd is not None:
        at = f"top:{100 - gantt.cap_usd / most * 100:.2f}%"
        yield f'<i class="cap" style="{at}">cap {usd(gantt.cap_usd)}</i>'
    yield f'</div><div class="facts">{safe(cost_words(gantt))}</div></div>'


def _legend(gantt: Gantt) -> Iterator[str]:
    spans, marks = kinds_in(gantt)
    yield "<footer>"
    yield from (f'<span><i class="s {kind}"></i>{WORDS[kind]}</span>' for kind in spans)
    yield from (f'<span><i class="m {MARKS[kind][1]}">{MARKS[kind][0]}</i>{kind}</span>' for kind in marks)
    yield from (f'<span><i class="beat {beat}"></i>{beat} call</span>' for beat in beats_in(gantt))
    yield "<span>point at anything for its evidence</span></footer>"
