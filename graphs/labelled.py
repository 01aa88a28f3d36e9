"""Labelled acyclic graphs that are equal whatever their vertices are called."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter

from planloom.core.json import Json, digest

_ROUNDS = 8
"""Looks at all neighbours after the walk from either end: enough for zigzags of that length."""


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """One thing flows from a vertex to another, or comes before it."""

    source: str
    target: str
    role: str


@dataclass(frozen=True)
class Labelled:
    """A graph whose vertices are known by what they are and by their place, not by their names."""

    labels: Mapping[str, Json]
    """What each vertex is."""
    edges: Sequence[Edge]

    @cached_property
    def digest(self) -> str:
        """Identity of the graph: equal for graphs that differ in the names of their vertices only.

        Different graphs could share it only if they are regular: equal labels, roles and degrees all along.
        """
        return digest(sorted(self.colours.values()))

    @cached_property
    def colours(self) -> Mapping[str, str]:
        """Identity of each vertex within the graph: its label, with what leads to it and what it leads to."""
        into: dict[str, list[Edge]] = {vertex: [] for vertex in self.labels}
        out: dict[str, list[Edge]] = {vertex: [] for vertex in self.labels}
        for edge in sorted(set(self.edges)):
            into[edge.target].append(edge)
            out[edge.source].append(edge)
        order = list(TopologicalSorter({v: [edge.source for edge in into[v]] for v in self.labels}).static_order())
        before: dict[str, str] = {}
        for vertex in order:
            before[vertex] = digest([self.labels[vertex], sorted([e.role, before[e.source]] for e in into[vertex])])
        behind: dict[str, str] = {}
        for vertex in reversed(order):
            behind[vertex] = digest([self.labels[vertex], sorted([e.role, behind[e.target]] for e in out[vertex])])
        colours = {vertex: digest([before[vertex], behind[vertex]]) for vertex in self.labels}
        for _ in range(min(_ROUNDS, len(self.labels))):
            colours = {
                vertex: digest(
                    [
                        colour,
                        sorted([e.role, colours[e.source]] for e in into[vertex]),
                        sorted([e.role, colours[e.target]] for e in out[vertex]),
                    ]
                )
                for vertex, colour in colours.items()
            }
        return colours
