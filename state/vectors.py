"""Vectors of memories: unit length, 32-bit floats, and the exact cosine over all that one search may find."""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nsmallest
from operator import mul

from sqlalchemy import ColumnElement, Connection, select

from planloom.state.tables import memories


@dataclass(frozen=True, slots=True)
class Vector:
    """What a text means, as one model says; vectors of two models, or of two lengths, say nothing of each other."""

    model: str
    """As the provider names it."""
    values: tuple[float, ...]
    """Of unit length."""

    @classmethod
    def of(cls, model: str, values: Sequence[float]) -> "Vector":
        """Return a vector of unit length.

        Raises:
            ValueError: It has no length, or one that is no number.
        """
        length = math.hypot(*values)
        if not length or not math.isfinite(length):
            raise ValueError(f"expected a vector with a length, found one of {len(values)} numbers and length {length}")
        return cls(model, tuple(value / length for value in values))

    @property
    def packed(self) -> bytes:
        """The values as little-endian 32-bit floats."""
        return struct.pack(f"<{len(self.values)}f", *self.values)

    @property
    def alike(self) -> ColumnElement[bool]:
        """Which entries have a vector that this one can be compared with."""
        return (memories.c.vector_model == self.model) & (memories.c.dimensions == len(self.values))

    def cosine(self, packed: bytes) -> float:
        """Return how near a packed vector of as many dimensions is, from -1 to 1."""
        values: tuple[float, ...] = struct.unpack(f"<{len(self.values)}f", packed)
        return float(sum(map(mul, self.values, values)))


def numbers_by_nearness(connection: Connection, near: Vector, mine: ColumnElement[bool], limit: int) -> list[int]:
    """Return the numbers of the entries whose vectors are nearest, nearest first; none with a cosine of 0 or less.

    Args:
        connection: A transaction.
        near: What they should be near to; only vectors of its model and length are looked at.
        mine: Which entries may be found.
        limit: So many at most.
    """
    rows = connection.execute(
        select(memories.c.number, memories.c.vector, memories.c.at).where(
            mine, near.alike, memories.c.vector.is_not(None)
        )
    )
    far = ((-near.cosine(row.vector), -row.at, int(row.number)) for row in rows)
    return [number for _, _, number in nsmallest(limit, (item for item in far if item[0] < 0))]
