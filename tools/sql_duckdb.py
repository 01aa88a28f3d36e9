"""DuckDB over CSV and Parquet files, folders of them, or a database file; always read-only."""

import glob
import json
import os
import re
import select
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pydantic import TypeAdapter, ValidationError

from planloom.core.json import Json, JsonObject
from planloom.tools.sql_base import TOO_LONG, DatabaseError, Rows, Watch
from planloom.tools.sql_statement import Statement

_READERS = {".csv": "read_csv", ".tsv": "read_csv", ".parquet": "read_parquet"}
_DATABASES = frozenset((".duckdb", ".ddb"))
_MAX_FILES = 1000
_MAX_CHILDREN = 2
_MEMORY_MB = 512
_START_S = 60.0
_LOOK_S = 0.05
_MAX_ANSWER_BYTES = 64_000_000
_NOT_A_NAME = re.compile(r"\W+")
_TABLE_FUNCTIONS_OK = frozenset(
    ("generate_series", "histogram", "json_each", "json_tree", "range", "repeat", "repeat_row", "summary", "unnest")
)
_NEVER = frozenset(
    (
        "current_query",
        "current_setting",
        "currval",
        "getenv",
        "getvariable",
        "json_execute_serialized_sql",
        "nextval",
        "pg_sleep",
        "setseed",
        "sleep_ms",
        "which_secret",
        "write_log",
    )
)
_SERVER_NAMES = ("duckdb_", "pragma_", "pg_")
_SCHEMA = """
SELECT table_name || '(' || string_agg(column_name || ' ' || data_type, ', ' ORDER BY column_index) || ')'
FROM duckdb_columns() WHERE NOT internal GROUP BY schema_name, table_name ORDER BY schema_name, table_name
"""
_ANSWER: TypeAdapter[JsonObject] = TypeAdapter(JsonObject)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """Files that are one table."""

    name: str
    reader: str
    files: tuple[str, ...]


class DuckDatabase:
    """Files as tables. Each statement runs in a child process that is killed when its time is up.

    Args:
        place: A CSV, TSV, Parquet or DuckDB file; a folder, whose files are a table each; or a glob, whose
            files are one table together.
        base_dir: What `place` is relative to.
    """

    kind: ClassVar[str] = "DuckDB"
    dialect: ClassVar[str] = "duckdb"
    writable: ClassVar[bool] = False
    max_parallel: ClassVar[int] = _MAX_CHILDREN

    def __init__(self, place: str, base_dir: Path) -> None:
        self._place, self._base = place, base_dir
        self._folder = ""
        self._setup: JsonObject = {}
        self._table_functions: frozenset[str] = frozenset()
        self._idle: list[_Child] = []
        self._lock = threading.Lock()
        self._closed = False

    def open(self) -> None:
        """Copy CSV files into a database of our own, and name Parquet files in it.

        Raises:
            DatabaseError: A file is not there or cannot be read, or DuckDB is not installed.
        """
        try:
            import duckdb
        except ImportError as exc:
            raise DatabaseError('DuckDB is not installed: pip install "planloom[data]"') from exc
        path = self._base / self._place
        try:
            if path.suffix in _DATABASES:
                database, granted = path, list[str]()
                if not path.is_file():
                    raise DatabaseError("no such file")
            else:
                tables = _tables(self._place, self._base)
                self._folder = tempfile.mkdtemp(prefix="planloom-duckdb-")
                database = Path(self._folder, "tables.duckdb")
                granted = [file for table in tables if table.reader == "read_parquet" for file in table.files]
                _fill(database, tables)
            with duckdb.connect(":memory:") as connection:
                found = "SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type LIKE 'table%'"
                self._table_functions = frozenset(str(name) for (name,) in connection.execute(found).fetchall())
        except duckdb.Error as exc:
            raise DatabaseError(str(exc).splitlines()[0]) from exc
        self._setup = {
            "database": str(database),
            "granted": [*granted],
            "readable": [str(database.parent), *granted, *_libraries()],
            "memory_mb": _MEMORY_MB,
            "parent": os.getpid(),
        }

    def close(self) -> None:
        """End the children and remove the database of our own."""
        with self._lock:
            self._closed = True
            while self._idle:
                self._idle.pop().end()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def schema(self) -> list[str]:
        """Return the tables with their columns.

        Raises:
            DatabaseError: They cannot be read.
        """
        with self._asked(_SCHEMA, {}, Watch(_START_S)) as rows:
            return [str(line) for (line,) in rows.fetch(_MAX_FILES)]

    @contextmanager
    def run(self, statement: Statement, watch: Watch) -> Generator[Rows]:
        """Run a statement.

        Raises:
            DatabaseError: It calls what it may not, failed, or took too long.
        """
        for name in sorted(statement.called):
            if name in _NEVER or (name in self._table_functions and name not in _TABLE_FUNCTIONS_OK):
                raise DatabaseError(f"function {name} is not allowed: it reaches beyond the tables")
        for name in sorted(statement.names):
            if name.startswith(_SERVER_NAMES):
                raise DatabaseError(f"{name} is not allowed: it belongs to DuckDB, not to the data")
        with self._asked(statement.written(lambda name: f"${name}"), dict(statement.params), watch) as rows:
            yield rows

    @contextmanager
    def _asked(self, sql: str, params: Mapping[str, Json], watch: Watch) -> Generator[Rows]:
        child = self._take()
        try:
            columns = child.ask({"sql": sql, "params": dict(params)}, watch).get("columns")
            names = tuple(str(name) for name in columns) if isinstance(columns, list) else ()
            yield Rows(columns=names, fetch=lambda size: _rows_of(child.ask({"fetch": size}, watch)))
        finally:
            self._give_back(child)

    def _take(self) -> "_Child":
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return _Child(self._setup)

    def _give_back(self, child: "_Child") -> None:
        with self._lock:
            if self._closed:
                child.end()
            else:
                self._idle.append(child if child.usable else _Child(self._setup))


class _Child:
    """A child process and the dialogue with it."""

    def __init__(self, setup: JsonObject) -> None:
        script = str(Path(__file__).with_name("duck_child.py"))
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-X", "utf8", script, json.dumps(setup)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": "UTC"},
        )
        self.usable = True
        self._ready = False

    def end(self) -> None:
        """Kill it and reap it."""
        if self.usable:
            self.usable = False
            self._process.kill()
            self._process.communicate()

    def ask(self, request: JsonObject, watch: Watch) -> JsonObject:
        """Send a request and return its answer; the child is killed if that takes too long.

        Raises:
            DatabaseError: It answers with an error, dies, or is killed.
        """
        if self._process.stdin is None or not self.usable:
            raise DatabaseError("the database is closed")
        if not self._ready:
            self._read(watch)
            self._ready = True
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError as exc:
            self.end()
            raise DatabaseError("DuckDB ended unexpectedly") from exc
        answer = self._read(watch)
        if error := answer.get("error"):
            raise DatabaseError(str(error))
        return answer

    def _read(self, watch: Watch) -> JsonObject:
        line = bytearray()
        while not line.endswith(b"\n"):
            if watch.over:
                self.end()
                raise DatabaseError(TOO_LONG)
            line += self._piece()
            if len(line) > _MAX_ANSWER_BYTES:
                self.end()
                raise DatabaseError(f"the answer is larger than {_MAX_ANSWER_BYTES} bytes")
        try:
            return _ANSWER.validate_json(bytes(line))
        except ValidationError as exc:
            self.end()
            raise DatabaseError("DuckDB gave no usable answer") from exc

    def _piece(self) -> bytes:
        """Return what has come, or nothing for now."""
        pipe = self._process.stdout
        if pipe is None or not select.select([pipe], [], [], _LOOK_S)[0]:
            return b""
        piece = os.read(pipe.fileno(), 1 << 16)
        if not piece:
            self.end()
            raise DatabaseError("DuckDB died, most likely for want of memory; ask for less at once")
        return piece


def _rows_of(answer: JsonObject) -> list[list[object]]:
    rows = answer.get("rows")
    return [[*row] for row in rows if isinstance(row, list)] if isinstance(rows, list) else []


def _tables(place: str, base_dir: Path) -> list[_Table]:
    """Find the files and what they are called.

    Raises:
        DatabaseError: There are none, or of a kind that cannot be read.
    """
    path = base_dir / place
    if path.is_dir():
        found = sorted(entry for entry in path.iterdir() if entry.suffix.lower() in _READERS and entry.is_file())
        tables, taken = list[_Table](), set[str]()
        for file in found:
            name = _name(file.stem)
            name = name if name not in taken else f"{name}_{file.suffix[1:].lower()}"
            taken.add(name)
            tables.append(_Table(name=name, reader=_READERS[file.suffix.lower()], files=(str(file.resolve()),)))
    elif path.is_file():
        tables = _as_one([path], path.stem)
    else:
        matches = sorted(Path(match) for match in glob.glob(str(path), recursive=True) if os.path.isfile(match))
        fixed = re.split(r"[*?\[]", path.name, maxsplit=1)[0].strip("-_. ")
        tables = _as_one(matches, fixed or re.split(r"[*?\[]", place)[0].rstrip("/").rpartition("/")[2])
    if not tables:
        raise DatabaseError(f"no file of {', '.join(sorted(_READERS))} there")
    if sum(len(table.files) for table in tables) > _MAX_FILES:
        raise DatabaseError(f"more than {_MAX_FILES} files")
    return tables


def _as_one(files: Sequence[Path], name: str) -> list[_Table]:
    readers = {_READERS.get(file.suffix.lower(), "") for file in files}
    if not readers:
        return []
    if len(readers) > 1 or "" in readers:
        raise DatabaseError(f"expected files of one kind of {', '.join(sorted(_READERS))}")
    return [_Table(name=_name(name), reader=readers.pop(), files=tuple(str(file.resolve()) for file in files))]


def _name(text: str) -> str:
    return _NOT_A_NAME.sub("_", text) or "data"


def _fill(database: Path, tables: Sequence[_Table]) -> None:
    import duckdb

    settings: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": f"{_MEMORY_MB}MB",
        "threads": 2,
        "temp_directory": str(database.parent),
    }
    with duckdb.connect(str(database), config=settings) as connection:
        for table in tables:
            files = ", ".join("'" + file.replace("'", "''") + "'" for file in table.files)
            shape = "VIEW" if table.reader == "read_parquet" else "TABLE"
            connection.execute(f'CREATE {shape} "{table.name}" AS SELECT * FROM {table.reader}([{files}])')


def _libraries() -> list[str]:
    paths = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    return [*paths, "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share/zoneinfo"]
