"""Edges as rails beside a list of nodes: one line a node, one column for every output still awaited."""

from collections.abc import Mapping, Sequence

from planloom.cli.order import Edges
from planloom.core.plan import NodeId

MARK = "\0"
"""Stands where the node's own icon goes."""


def rails(order: Sequence[NodeId], edges: Edges, max_lanes: int = 10) -> Mapping[NodeId, str] | None:
    """Draw the edges in front of each node of `order`; `None` when they need more columns than `max_lanes`.

    A node's output runs down its column until its last reader, which branches off with a horizontal line or
    takes the column over.
    """
    last = {need: node_id for node_id in order for need in edges.get(node_id, frozenset())}
    lanes: list[NodeId | None] = []
    # Column of a node nobody reads: one right below it would look like its reader.
    leaf: int | None = None
    drawn: dict[NodeId, str] = {}
    for node_id in order:
        taps = {i for i, owner in enumerate(lanes) if owner and owner in edges.get(node_id, frozenset())}
        ends = {i for i in taps if last.get(lanes[i] or NodeId("")) == node_id}
        free = (i for i in range(len(lanes) + 2) if (i >= len(lanes) or lanes[i] is None) and i != leaf)
        own = min(ends, default=next(free))
        if own >= max_lanes:
            return None
        lanes.extend([None] * (own + 1 - len(lanes)))
        drawn[node_id] = _line(lanes, taps, ends, own)
        for i in ends:
            lanes[i] = None
        lanes[own] = node_id if node_id in last else None
        leaf = None if node_id in last else own
    width = max((len(line) for line in drawn.values()), default=0)
    return {node_id: line.ljust(width) for node_id, line in drawn.items()}


def _line(lanes: Sequence[NodeId | None], taps: set[int], ends: set[int], own: int) -> str:
    others = taps - {own}
    low, high = min(others | {own}), max(others | {own})
    cells: list[str] = []
    for i, owner in enumerate(lanes):
        cells.append(MARK if i == own else _cell(i, owner is not None, taps, ends, own, low, high))
        cells.append("─" if low <= i < high else " ")
    return "".join(cells).rstrip()


def _cell(i: int, busy: bool, taps: set[int], ends: set[int], own: int, low: int, high: int) -> str:
    if i in taps:
        return _tap(i, i in ends, own, low, high)
    if not low < i < high:
        return "│" if busy else " "
    return "┼" if busy else "─"


def _tap(i: int, ends: bool, own: int, low: int, high: int) -> str:
    if i in (low, high):
        left_of_node = i < own
        if ends:
            return "╰" if left_of_node else "╯"
        return "├" if left_of_node else "┤"
    return "┴" if ends else "┼"
