"""Layered layout of a plan: columns by dependency, few crossings, straight edges.

The steps are those of Sugiyama and others: assign columns, give long edges a place in every column they
cross, order each column by the middle of its neighbours, then set heights as near to the neighbours as the
order allows (least squares with a minimum distance, solved by pooling).
"""

from bisect import bisect_right, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from planloom.cli.order import Edges, in_order
from planloom.core.plan import NodeId

_SWEEPS = 12
_BEND_HEIGHT = 0.35
"""Rows that an edge takes where it crosses a column."""


class Spot(NamedTuple):
    """A place in the drawing: the column, counted from 0, and the height in rows."""

    column: int
    row: float


@dataclass(frozen=True, slots=True)
class Layout:
    """Where nodes stand, and through which spots each edge `(from, to)` runs, ends included."""

    nodes: Mapping[NodeId, Spot]
    edges: Mapping[tuple[NodeId, NodeId], Sequence[Spot]]


class _Slot(NamedTuple):
    """A node in its column, or the place where its output crosses a later column."""

    owner: NodeId
    column: int


def lay_out(edges: Edges) -> Layout:
    """Place every node of an acyclic plan; the rows of the result start at 0."""
    columns = _columns(edges)
    links = _links(edges, columns)
    layers: list[list[_Slot]] = [[] for _ in range(max(columns.values(), default=-1) + 1)]
    slots = dict.fromkeys([_Slot(owner, column) for owner, column in columns.items()])
    slots.update(dict.fromkeys(slot for link in links for slot in link))
    for slot in slots:
        layers[slot.column].append(slot)
    before: dict[_Slot, list[_Slot]] = {slot: [] for slot in slots}
    after: dict[_Slot, list[_Slot]] = {slot: [] for slot in slots}
    for start, end in links:
        before[end].append(start)
        after[start].append(end)
    layers = _untangle(layers, before, after)
    rows = _settle(layers, before, after, columns)
    top = min(rows.values(), default=0.0)
    return Layout(
        {owner: Spot(column, rows[_Slot(owner, column)] - top) for owner, column in columns.items()},
        {
            (need, node): [Spot(c, rows[_Slot(need, c)] - top) for c in range(columns[need], columns[node])]
            + [Spot(columns[node], rows[_Slot(node, columns[node])] - top)]
            for node, needs in edges.items()
            for need in sorted(needs)
        },
    )


def _columns(edges: Edges) -> dict[NodeId, int]:
    columns: dict[NodeId, int] = {}
    for node in in_order(edges, edges):
        columns[node] = max((columns[need] + 1 for need in edges[node] if need in columns), default=0)
    nearest: dict[NodeId, int] = {}
    for node, needs in edges.items():
        for need in needs:
            nearest[need] = min(nearest.get(need, columns[node]), columns[node])
    for node, column in nearest.items():
        if not edges[node]:
            columns[node] = column - 1
    return columns


def _links(edges: Edges, columns: Mapping[NodeId, int]) -> dict[tuple[_Slot, _Slot], None]:
    links: dict[tuple[_Slot, _Slot], None] = {}
    for node, needs in edges.items():
        for need in sorted(needs):
            for column in range(columns[need], columns[node] - 1):
                links[_Slot(need, column), _Slot(need, column + 1)] = None
            links[_Slot(need, columns[node] - 1), _Slot(node, columns[node])] = None
    return links


_Neighbours = Mapping[_Slot, Sequence[_Slot]]


def _untangle(layers: list[list[_Slot]], before: _Neighbours, after: _Neighbours) -> list[list[_Slot]]:
    best, fewest = [list(layer) for layer in layers], _crossings(layers, after)
    for sweep in range(_SWEEPS):
        neighbours = after if sweep % 2 else before
        for layer in reversed(layers) if sweep % 2 else layers:
            place = {slot: index / max(1, len(other)) for other in layers for index, slot in enumerate(other)}
            layer.sort(key=lambda slot: _middle([place[n] for n in neighbours[slot]], place[slot]))
        if (count := _crossings(layers, after)) < fewest:
            best, fewest = [list(layer) for layer in layers], count
    return best


def _middle(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _crossings(layers: Sequence[Sequence[_Slot]], after: _Neighbours) -> int:
    total = 0
    for layer, following in pairwise(layers):
        place = {slot: index for index, slot in enumerate(following)}
        ends: list[int] = []
        for slot in layer:
            mine = sorted(place[n] for n in after[slot])
            total += sum(len(ends) - bisect_right(ends, end) for end in mine)
            for end in mine:
                insort(ends, end)
    return total


def _settle(
    layers: Sequence[Sequence[_Slot]],
    before: _Neighbours,
    after: _Neighbours,
    columns: Mapping[NodeId, int],
) -> dict[_Slot, float]:
    heights = {s: 1.0 if columns[s.owner] == s.column else _BEND_HEIGHT for layer in layers for s in layer}
    rows = {slot: float(index) for layer in layers for index, slot in enumerate(layer)}
    for sweep in range(_SWEEPS):
        backwards = bool(sweep % 2)
        for layer in reversed(layers) if backwards else layers:
            near = after if backwards else before
            wished = [_middle([rows[n] for n in near[s] or before[s] or after[s]], rows[s]) for s in layer]
            rows.update(zip(layer, _spread(wished, [heights[s] for s in layer]), strict=True))
    return rows


def _spread(wished: Sequence[float], heights: Sequence[float]) -> list[float]:
    """Move the wished heights as little as keeps the order and the room each one needs."""
    offsets = [0.0]
    for upper, lower in pairwise(heights):
        offsets.append(offsets[-1] + (upper + lower) / 2)
    pools: list[tuple[float, int]] = []
    for wish, offset in zip(wished, offsets, strict=False):
        mean, size = wish - offset, 1
        while pools and pools[-1][0] > mean:
            above, count = pools.pop()
            mean, size = (mean * size + above * count) / (size + count), size + count
        pools.append((mean, size))
    flat = [mean for mean, size in pools for _ in range(size)]
    return [base + offset for base, offset in zip(flat, offsets, strict=False)]
