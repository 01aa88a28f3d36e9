"""A database's values as JSON. Only the standard library: DuckDB's child process loads this file by itself."""

import math
from collections.abc import Sequence
from datetime import date, time, timedelta
from decimal import Decimal
from typing import cast

MAX_CELL_CHARS = 100_000
"""Of one text; what is longer is cut, and says so."""


def cell(value: object) -> object:
    """Return a value as JSON: dates as ISO texts, decimals as numbers, bytes as hexadecimal, NaN as null."""
    if isinstance(value, list | tuple):
        return [cell(item) for item in cast("Sequence[object]", value)]
    if isinstance(value, dict):
        return {str(cell(key)): cell(item) for key, item in cast("dict[object, object]", value).items()}
    return _plain(value)


def _plain(value: object) -> object:
    match value:
        case None | bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else None
        case Decimal():
            return _number(value)
        case date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case bytes() | bytearray():
            return _cut(value[: MAX_CELL_CHARS // 2 + 1].hex())
        case _:
            return _cut(str(value))


def cells(rows: Sequence[Sequence[object]]) -> list[list[object]]:
    """Return rows as JSON."""
    return [[cell(value) for value in row] for row in rows]


def _cut(text: str) -> str:
    if len(text) <= MAX_CELL_CHARS:
        return text
    return f"{text[:MAX_CELL_CHARS]}... [{len(text) - MAX_CELL_CHARS} characters cut]"


def _number(value: Decimal) -> int | float | None:
    if not value.is_finite():
        return None
    return int(value) if value == value.to_integral_value() else float(value)
