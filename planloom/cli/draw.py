"""A plan as a picture: Mermaid text, SVG, or lines of text. Pure functions of cards and edges."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from planloom.cli.layout import Layout, Spot, lay_out
from planloom.cli.order import Edges, in_order
from planloom.cli.rails import MARK, rails
from planloom.cli.words import ICONS, one_line
from planloom.core.plan import Kind, NodeId
from planloom.core.result import NodeState

_WIDTH, _HEIGHT = 216, 66
_COLUMN, _ROW = 284, 88
_MARGIN, _HEAD = 28, 64
_FONT = "ui-sans-serif, system-ui, 'Segoe UI', Helvetica, Arial, 'DejaVu Sans', sans-serif"
_FILLS: Mapping[NodeState | None, tuple[str, str, str]] = {
    None: ("#ffffff", "#64748b", "#64748b"),
    "pending": ("#ffffff", "#cbd5e1", "#94a3b8"),
    "running": ("#ecfeff", "#0891b2", "#0891b2"),
    "done": ("#f0fdf4", "#16a34a", "#16a34a"),
    "failed": ("#fef2f2", "#dc2626", "#dc2626"),
    "skipped": ("#f8fafc", "#cbd5e1", "#94a3b8"),
    "held": ("#fefce8", "#ca8a04", "#ca8a04"),
    "removed": ("#f8fafc", "#e2e8f0", "#cbd5e1"),
}
"""Background, border and strip of a card by its state; `None` for a plan that has not run."""


_SHAPES: Mapping[Kind, tuple[str, str]] = {
    "worker": ("(", ")"),
    "panel": ("([", "])"),
    "tool": ("[[", "]]"),
    "code": ("{{", "}}"),
}
"""What stands around a card's label in Mermaid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A node as it is drawn."""

    id: NodeId
    kind: Kind
    goal: str
    facts: str
    """One short line: rung, attempts, time, cost, or what a run would cost."""
    state: NodeState | None = None
    """`None` when the plan has not run."""
    mapped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A plan to draw: cards by id, and what each waits for."""

    title: str
    subtitle: str
    cards: Mapping[NodeId, Card]
    edges: Edges


def as_text(picture: Picture) -> str:
    """List the nodes in dependency order with their edges drawn beside them."""
    order = in_order(picture.cards, picture.edges)
    lines = rails(order, picture.edges, max_lanes=24)
    out = [one_line(f"{picture.title}  {picture.subtitle}".strip(), 400)]
    wide = max((len(node_id) for node_id in order), default=0)
    for node_id in order:
        card = picture.cards[node_id]
        icon = ICONS[card.state or "pending"]
        front = lines[node_id].replace(MARK, icon) if lines else icon
        after = "" if lines else " after " + ", ".join(sorted(picture.edges[node_id]) or ["nothing"])
        out.append(f"{front} {node_id:<{wide}}  {one_line(card.facts)}{after}".rstrip())
    return "\n".join(out)


def as_mermaid(picture: Picture) -> str:
    """Write a Mermaid flowchart, coloured by state when the plan has run."""
    names = {node_id: f"n{index}" for index, node_id in enumerate(picture.cards)}
    out = ["---", f'title: "{_mermaid_title(picture.title)}"', "---", "flowchart LR"]
    for node_id, card in picture.cards.items():
        out.append(f"  {names[node_id]}{_mermaid_shape(card)}")
    for node_id in picture.cards:
        out.extend(f"  {names[need]} --> {names[node_id]}" for need in sorted(picture.edges[node_id]))
    for state, (fill, stroke, _) in _FILLS.items():
        members = [names[node_id] for node_id, card in picture.cards.items() if card.state == state]
        if state and members:
            out.append(f"  classDef {state} fill:{fill},stroke:{stroke},color:#0f172a")
            out.append(f"  class {','.join(members)} {state}")
    return "\n".join(out)


def _mermaid_title(text: str) -> str:
    return one_line(text, 80).replace("\\", "\\\\").replace('"', "'")


def _mermaid_shape(card: Card) -> str:
    parts = [
        f"<b>{_mermaid(card.id)}</b>",
        _mermaid(one_line(card.goal, 60)),
        f"<i>{_mermaid(card.facts)}</i>",
    ]
    label = "<br/>".join(part for part in parts if part not in ("", "<i></i>"))
    if card.mapped:
        return f'@{{ shape: procs, label: "{label}" }}'
    opening, closing = _SHAPES[card.kind]
    return f'{opening}"{label}"{closing}'


def _mermaid(text: str) -> str:
    return "".join(c if c.isalnum() or c in " .,:-_/()$%+=×…→" else f"#{ord(c)};" for c in text)


def as_svg(picture: Picture) -> str:
    """Draw the plan from left to right, each node a card; the text is escaped, nothing is loaded."""
    layout = lay_out(picture.edges)
    columns = 1 + max((spot.column for spot in layout.nodes.values()), default=0)
    rows = max((spot.row for spot in layout.nodes.values()), default=0.0)
    bends = max((spot.row for path in layout.edges.values() for spot in path), default=0.0)
    width = max(420, 2 * _MARGIN + (columns - 1) * _COLUMN + _WIDTH)
    height = round(_HEAD + _MARGIN + max(rows * _ROW + _HEIGHT, bends * _ROW + _HEIGHT / 2 + 8))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" font-family="{_FONT}">',
            f'<rect width="{width}" height="{height}" rx="12" fill="#f8fafc"/>',
            _text(_MARGIN, 32, picture.title, 17, "#0f172a", "700", width - 2 * _MARGIN),
            _text(_MARGIN, 52, picture.subtitle, 12, "#64748b", "400", width - 2 * _MARGIN),
            '<g fill="none" stroke="#94a3b8" stroke-width="1.6" stroke-linecap="round">',
            *_edge_lines(layout),
            "</g>",
            *(_card(picture.cards[node_id], spot) for node_id, spot in layout.nodes.items()),
            "</svg>",
        ]
    )


def _edge_lines(layout: Layout) -> list[str]:
    return list(dict.fromkeys(f'<path d="{_path(path)}"/>' for path in layout.edges.values()))


def _path(spots: Sequence[Spot]) -> str:
    x, y = _right(spots[0])
    parts = [f"M{x:g},{y:g}"]
    for index, spot in enumerate(spots[1:], start=1):
        to_x, to_y = _left(spot)
        reach = (to_x - x) / 2
        parts.append(f"C{x + reach:g},{y:g} {to_x - reach:g},{to_y:g} {to_x:g},{to_y:g}")
        x, y = to_x, to_y
        if index < len(spots) - 1:
            x += _WIDTH
            parts.append(f"H{x:g}")
    return " ".join([*parts, "m-7,-4 l7,4 l-7,4"])


def _left(spot: Spot) -> tuple[float, float]:
    return _MARGIN + spot.column * _COLUMN, round(_HEAD + spot.row * _ROW + _HEIGHT / 2, 1)


def _right(spot: Spot) -> tuple[float, float]:
    x, y = _left(spot)
    return x + _WIDTH, y


def _card(card: Card, spot: Spot) -> str:
    fill, stroke, strip = _FILLS[card.state]
    x, middle = _left(spot)
    y = round(middle - _HEIGHT / 2, 1)
    dash = ' stroke-dasharray="4 3"' if card.state in ("skipped", "removed", "pending") else ""
    box = f'width="{_WIDTH}" height="{_HEIGHT}" rx="9" fill="{fill}" stroke="{stroke}"'
    shadow = f'<rect x="{x + 4}" y="{y + 4:g}" {box}/>' if card.mapped else ""
    tag = card.kind if card.kind != "worker" else ""
    room = _WIDTH - 30 - 7 * len(tag)
    return "".join(
        [
            f"<g><title>{escape(one_line(card.goal, 400))}</title>{shadow}",
            f'<rect x="{x}" y="{y:g}" {box} stroke-width="1.4"{dash}/>',
            f'<rect x="{x + 8}" y="{y + 12:g}" width="4" height="{_HEIGHT - 24}" rx="2" fill="{strip}"/>',
            _text(x + 20, y + 22, card.id, 13, "#0f172a", "700", room),
            _text(x + _WIDTH - 10, y + 22, tag, 10, "#7c3aed", "600", 60, anchor="end") if tag else "",
            _text(x + 20, y + 39, card.goal, 11, "#475569", "400", _WIDTH - 30),
            _text(x + 20, y + 56, card.facts, 10.5, strip, "600", _WIDTH - 30),
            "</g>",
        ]
    )


def _text(
    x: float, y: float, text: str, size: float, fill: str, weight: str, room: float, anchor: str = "start"
) -> str:
    shown = escape(one_line(text, max(4, int(room / (size * (0.62 if weight == "700" else 0.56))))))
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" font-weight="{weight}" fill="{fill}" '
        f'text-anchor="{anchor}">{shown}</text>'
    )
