"""A CSV file as a SQLite table."""

import csv
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar

from planloom.tools.sql_sqlite import SqliteDatabase

_NOT_A_NAME = re.compile(r"\W+")
_INT = re.compile(r"[+-]?(0|[1-9]\d{0,17})")
_FLOAT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


class CsvDatabase(SqliteDatabase):
    """A CSV file, copied into a SQLite file that goes away with it."""

    writable: ClassVar[bool] = False

    def __init__(self, source: Path) -> None:
        super().__init__(source)
        self._source = source
        self._folder = ""

    def open(self) -> None:
        """Copy the file.

        Raises:
            OSError: It cannot be read.
            ValueError: It is not UTF-8, or has no header.
        """
        self._folder = tempfile.mkdtemp(prefix="planloom-csv-")
        self._path = Path(self._folder, "table.db")
        load_csv(self._source, self._path)

    def close(self) -> None:
        """Remove the copy."""
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)


def load_csv(source: Path, database: Path) -> None:
    """Write the rows of `source` into a table named after its stem.

    The first row names the columns. A column is INTEGER or REAL where all its values are, else TEXT; empty
    values are null. Short rows are filled with null, what is beyond the last column is dropped.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is not UTF-8, or has no header.
    """
    with open(source, encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    if not rows or not rows[0]:
        raise ValueError("the file has no header")
    names = _columns(rows[0])
    data = [_filled(row, len(names)) for row in rows[1:] if row]
    kinds = [_kind(row[index] for row in data) for index in range(len(names))]
    table = _NOT_A_NAME.sub("_", source.stem)
    columns = ", ".join(f'"{name}" {kind}' for name, kind in zip(names, kinds, strict=True))
    places = ", ".join("?" * len(names))
    connection = sqlite3.connect(database)
    try:
        with connection:
            connection.execute(f'CREATE TABLE "{table}" ({columns})')
            connection.executemany(f'INSERT INTO "{table}" VALUES ({places})', data)
    finally:
        connection.close()


def _columns(header: Sequence[str]) -> list[str]:
    """Return column names, each once: quotes are dropped, a repeated or empty one gets a number."""
    names: list[str] = []
    taken: set[str] = set()
    for index, text in enumerate(header, start=1):
        name = text.strip().replace('"', "") or f"column_{index}"
        while name.lower() in taken:
            name = f"{name}_{index}"
        taken.add(name.lower())
        names.append(name)
    return names


def _filled(row: Sequence[str], width: int) -> list[str | None]:
    cells = [cell if cell.strip() else None for cell in row[:width]]
    return cells + [None] * (width - len(cells))


def _kind(values: Iterable[str | None]) -> str:
    kind = "INTEGER"
    for value in values:
        text = (value or "").strip()
        if not text or (kind == "INTEGER" and _INT.fullmatch(text)):
            continue
        if not _FLOAT.fullmatch(text) or _leading_zero(text):
            return "TEXT"
        kind = "REAL"
    return kind


def _leading_zero(text: str) -> bool:
    """Whether it is a code rather than a number, such as `007`."""
    digits = text.lstrip("+-")
    return len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()
