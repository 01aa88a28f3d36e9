"""A document read from a file or given from Python: its data, and where each part of it stands."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from planloom.configs.phrases import quoted
from planloom.core.errors import Problem
from planloom.core.json import Json

Position: TypeAlias = tuple[int, int]
"""Line and column, both from 1; (0, 0) is unknown."""

MAX_PROBLEMS = 100
"""Listed of one document; nobody reads more, and a hostile one may have as many as it has bytes."""
UNKNOWN: Position = (0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What was written. `positions` and `keys` map a dotted field to where its value and its key stand."""

    source: str
    data: Json = field(repr=False)
    positions: Mapping[str, Position] = field(default_factory=dict[str, Position], repr=False)
    keys: Mapping[str, Position] = field(default_factory=dict[str, Position], repr=False)
    problems: tuple[Problem, ...] = ()
    """What is wrong with it as YAML."""

    def problem(self, field: str, message: str, *, at_key: bool = False) -> Problem:
        """Return a problem that stands where `field` is, or the part nearest around it."""
        line, column = (self.keys.get(field) if at_key else None) or locate(self.positions, field)
        return Problem(message=message, field=field, line=line, column=column)


def child(path: str, step: str | int) -> str:
    """Return the dotted field of an entry: `nodes` and `draft` give `nodes.draft`; 0 gives `nodes[0]`."""
    if isinstance(step, int):
        return f"{path}[{step}]"
    if len(step) > 80 or not step.isprintable():
        step = quoted(step)
    return f"{path}.{step}" if path else step


def locate(positions: Mapping[str, Position], field: str) -> Position:
    """Return where the deepest known prefix of a dotted field stands; (0, 0) when nothing is known."""
    while field not in positions:
        if not field:
            return UNKNOWN
        field = field[: max(field.rfind("."), field.rfind("["), 0)]
    return positions[field]
