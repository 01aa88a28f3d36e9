"""A span as plain data: what the fold gives out, whatever sends it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

Value: TypeAlias = str | bool | int | float | Sequence[str]


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at a moment within a span."""

    at: float
    name: str
    attributes: Mapping[str, Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A span that is over. Times are seconds since the epoch."""

    key: str
    """Names it within its run, the same however often the run's events are folded; empty for no span."""
    parent: str
    name: str
    start: float
    end: float
    attributes: Mapping[str, Value]
    marks: Sequence[Mark] = ()
    error: str = ""
    """Kind of the error that it ended with."""
    client: bool = False
    """It asked another system."""


@dataclass(slots=True, kw_only=True)
class OpenSpan:
    """A span that is not over."""

    key: str
    parent: str
    name: str
    start: float
    attributes: dict[str, Value] = field(default_factory=dict[str, Value])
    marks: list[Mark] = field(default_factory=list[Mark])
    client: bool = False

    def ended(self, at: float, error: str = "") -> Span:
        """Return it as it is when it ends."""
        return Span(
            key=self.key,
            parent=self.parent,
            name=self.name,
            start=min(self.start, at),
            end=at,
            attributes=dict(self.attributes),
            marks=tuple(self.marks),
            error=error,
            client=self.client,
        )
