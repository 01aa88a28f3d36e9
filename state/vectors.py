"""Vectors of memories: unit length, 32-bit floats, and the exact cosine over all that one search may find.

pgvector works it out where PostgreSQL has it, and this process everywhere else.
"""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nsmallest
from operator import mul

from sqlalchemy import (
    ARRAY,
    REAL,
    ColumnElement,
    Connection,
    Float,
    LargeBinary,
    and_,
    cast,
    func,
    literal,
    select,
    text,
    type_coerce,
)
from sqlalchemy.types import UserDefinedType

from planloom.state.tables import memories

_MOST_DIMENSIONS = 16_000
"""Of a vector that pgvector takes."""
_AT_ONCE = 200
"""Vectors that are fetched at once: they take kilobytes each."""


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

    def cosine(self, other: Sequence[float]) -> float:
        """Return how near the values of a vector of as many dimensions are, from -1 to 1."""
        return float(sum(map(mul, self.values, other)))


def stored(connection: Connection, vector: Vector) -> bytes | list[float]:
    """Return a vector as the database keeps it: packed in SQLite, `real[]` in PostgreSQL."""
    return vector.packed if connection.dialect.name == "sqlite" else [*vector.values]


def numbers_by_nearness(connection: Connection, near: Vector, mine: ColumnElement[bool], limit: int) -> list[int]:
    """Return the numbers of the entries whose vectors are nearest, nearest first; none with a cosine of 0 or less.

    Args:
        connection: A transaction.
        near: What they should be near to; only vectors of its model and length are looked at.
        mine: Which entries may be found.
        limit: So many at most.
    """
    wanted = and_(mine, near.alike, memories.c.vector.is_not(None))
    if has_pgvector(connection) and len(near.values) <= _MOST_DIMENSIONS:
        return _in_the_database(connection, near, wanted, limit)
    layout, packed = _layout(connection, len(near.values))
    compared = select(memories.c.number, packed.label("packed"), memories.c.at).where(wanted)
    rows = connection.execute(compared.execution_options(yield_per=_AT_ONCE))
    far = ((-near.cosine(layout.unpack(row.packed)), -row.at, int(row.number)) for row in rows)
    return [number for _, _, number in nsmallest(limit, (item for item in far if item[0] < 0))]


def _layout(connection: Connection, dimensions: int) -> tuple[struct.Struct, ColumnElement[bytes]]:
    """Return how a vector's bytes are laid out, and the column that has them.

    PostgreSQL writes an array as it does for its binary protocol: 20 bytes of header, and four before each number.
    """
    if connection.dialect.name == "sqlite":
        return struct.Struct(f"<{dimensions}f"), type_coerce(memories.c.vector, LargeBinary)
    return struct.Struct(">20x" + "4xf" * dimensions), func.array_send(memories.c.vector, type_=LargeBinary)


def has_pgvector(connection: Connection) -> bool:
    """Tell whether the database itself can compare vectors; who runs it may add that, or take it away, at any time."""
    if connection.dialect.name == "sqlite":
        return False
    there = text("SELECT to_regtype('vector') IS NOT NULL AND 'vector' IN (SELECT extname FROM pg_extension)")
    return bool(connection.execute(there).scalar_one())


class _PgVector(UserDefinedType[object]):
    """The type of pgvector, to which `real[]` can be cast."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return "vector"


def _in_the_database(connection: Connection, near: Vector, wanted: ColumnElement[bool], limit: int) -> list[int]:
    """Let pgvector compare: no index, so it is exact, and takes the same vectors for nearest as Python does."""
    query = cast(literal([*near.values], ARRAY(REAL)), _PgVector)
    far = cast(memories.c.vector, _PgVector).op("<#>", return_type=Float())(query).label("far")
    nearest = select(memories.c.number, far).where(wanted).order_by(far, memories.c.at.desc(), memories.c.number)
    return [int(row.number) for row in connection.execute(nearest.limit(limit)) if row.far < 0]
