"""The tool `sql`: a database, read-only unless writing is granted."""

import asyncio
import contextlib
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from datetime import time as clock
from decimal import Decimal
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from planloom.configs.spec import SqlSpec, ToolSpec
from planloom.core.errors import ConfigError, Problem, ToolError
from planloom.core.json import Json, JsonObject
from planloom.core.plan import Effect, ToolName
from planloom.tools.base import Tool
from planloom.tools.csv_table import load_csv
from planloom.tools.sqlite_guard import Watch, connect

_MAX_SCHEMA_CHARS = 8000
_SQL: JsonObject = {"type": "string", "description": "one statement; parameters are written :name"}
_PARAMS: JsonObject = {"type": "object", "description": "values of the parameters, by name"}


class SqlSource:
    """`.query`, `.schema`, and with write access `.execute`."""

    def __init__(self, name: str, spec: ToolSpec, base_dir: Path) -> None:
        """Read the URL; nothing is opened.

        Raises:
            ConfigError: It is no URL of SQLite, PostgreSQL or a CSV file.
        """
        sql = spec.sql
        self._name, self._spec, self._base = name, spec, base_dir
        self._sql = sql if isinstance(sql, SqlSpec) else SqlSpec(url=sql or "")
        self._csv = self._sql.url.removeprefix("csv:") if self._sql.url.startswith("csv:") else ""
        self._url = URL.create("sqlite") if self._csv else self._read_url()
        self._folder = ""
        self._engine: Engine | None = None
        self._schema_text = ""

    def _read_url(self) -> URL:
        try:
            url = make_url(self._sql.url)
        except SQLAlchemyError as exc:
            raise self._fault("expected a URL such as sqlite:///data.db") from exc
        if url.get_backend_name() not in ("sqlite", "postgresql"):
            raise self._fault(f"expected a database of sqlite, postgresql or csv:, found {url.get_backend_name()!r}")
        return url

    def _fault(self, message: str) -> ConfigError:
        return ConfigError(self._base, [Problem(message, f"tools.{self._name}.sql")])

    @property
    def _is_sqlite(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    async def open(self) -> None:
        """Connect once and read the schema.

        Raises:
            ConfigError: The database or file cannot be opened.
        """
        try:
            await asyncio.to_thread(self._open)
        except (SQLAlchemyError, sqlite3.Error, OSError, ValueError, ImportError) as exc:
            raise self._fault(f"cannot open {self._shown_url()}: {_reason(exc)}") from exc

    def _shown_url(self) -> str:
        return self._sql.url if self._csv else self._url.render_as_string(hide_password=True)

    def _open(self) -> None:
        if self._csv:
            self._folder = tempfile.mkdtemp(prefix="planloom-csv-")
            load_csv(self._base / self._csv, self._path)
        if not self._is_sqlite:
            self._engine = sa.create_engine(self._url, pool_size=self._spec.max_parallel)
        self._schema_text = self._read_schema()

    @property
    def _path(self) -> Path:
        if self._csv:
            return Path(self._folder, "table.db")
        return (self._base / (self._url.database or "")).resolve()

    async def close(self) -> None:
        """Close what is open; remove the copy of a CSV file."""
        if self._engine is not None:
            await asyncio.to_thread(self._engine.dispose)
        if self._folder:
            await asyncio.to_thread(shutil.rmtree, self._folder, True)

    def tools(self) -> tuple[Tool, ...]:
        """The operations that the access allows; after `open` they name tables and columns."""
        kind = "SQLite" if self._is_sqlite else "PostgreSQL"
        schema = f"\nTables:\n{self._schema_text}" if self._schema_text else ""
        rows = f"Returns {{columns, rows, truncated}}, {self._sql.max_rows} rows at most."
        statement: JsonObject = {"sql": _SQL, "params": _PARAMS}
        query = self._tool("query", f"Read with one {kind} SELECT. {rows}{schema}", statement, self._query)
        tools = [query, self._tool("schema", "Return tables and columns as text.", {}, self._schema)]
        if self._spec.access == "write" and not self._csv:
            about = f"Run one {kind} statement that may change data. Returns {{row_count, columns, rows, truncated}}."
            tools.append(self._tool("execute", about, statement, self._execute, "write"))
        return tuple(tools)

    def _tool(
        self,
        operation: str,
        about: str,
        properties: JsonObject,
        work: Callable[[JsonObject, Watch], Json],
        effect: Effect = "read",
    ) -> Tool:
        name = f"{self._name}.{operation}"

        async def call(args: JsonObject) -> Json:
            watch = Watch()
            watch.deadline = time.monotonic() + self._spec.timeout
            try:
                return await asyncio.to_thread(work, args, watch)
            except (SQLAlchemyError, sqlite3.Error, ValueError) as exc:
                raise ToolError(name, _reason(exc)) from exc
            finally:
                watch.deadline = 0.0  # a statement whose caller has gone away stops too

        return Tool(
            name=ToolName(name),
            description=f"{self._spec.description} {about}".strip(),
            parameters={
                "type": "object",
                "properties": properties,
                "required": ["sql"] if properties else [],
                "additionalProperties": False,
            },
            effect=effect,
            call=call,
            timeout_s=self._spec.timeout + 1,
            max_parallel=self._spec.max_parallel,
        )

    def _query(self, args: JsonObject, watch: Watch) -> Json:
        return self._run(args, watch, write=False)

    def _execute(self, args: JsonObject, watch: Watch) -> Json:
        return self._run(args, watch, write=True)

    def _schema(self, args: JsonObject, watch: Watch) -> Json:
        self._schema_text = self._read_schema()
        return self._schema_text

    def _run(self, args: JsonObject, watch: Watch, *, write: bool) -> JsonObject:
        text, params = args.get("sql"), args.get("params", {})
        if not isinstance(text, str) or not isinstance(params, dict):
            raise ValueError("expected sql as text and params as an object")
        if self._engine is not None:
            return self._run_postgres(self._engine, text.strip().rstrip(";"), _bindable(params), write=write)
        with contextlib.closing(connect(self._path, write=write, watch=watch)) as connection:
            cursor = connection.execute(text, _bindable(params))
            names = [column[0] for column in cursor.description or ()]
            shown = self._shown(names, cursor.fetchmany, cursor.rowcount if write else None)
            connection.commit()
        return shown

    def _run_postgres(
        self, engine: Engine, text: str, params: dict[str, str | int | float | None], *, write: bool
    ) -> JsonObject:
        if ";" in text:  # a second statement could end the transaction that protects the data
            raise ValueError("expected one statement without `;`; pass texts that hold one as parameters")
        with engine.connect() as connection:
            if not write:
                connection.execute(sa.text("SET TRANSACTION READ ONLY"))
            connection.execute(sa.text(f"SET LOCAL statement_timeout = {int(self._spec.timeout * 1000)}"))
            result = connection.execute(sa.text(text), params)
            names, fetch = (list(result.keys()), result.fetchmany) if result.returns_rows else ([], _nothing)
            shown = self._shown(names, fetch, result.rowcount if write else None)
            connection.commit()
        return shown

    def _shown(
        self, names: list[str], fetch: Callable[[int], Sequence[Iterable[object]]], count: int | None
    ) -> JsonObject:
        found: Sequence[Iterable[object]] = fetch(self._sql.max_rows + 1) if names else ()
        rows: list[Json] = [[_cell(value) for value in row] for row in found[: self._sql.max_rows]]
        shown: JsonObject = {"row_count": count} if count is not None else {}
        return {**shown, "columns": [*names], "rows": rows, "truncated": len(found) > self._sql.max_rows}

    def _read_schema(self) -> str:
        path = self._path

        def creator() -> sqlite3.Connection:
            return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, check_same_thread=False)

        engine = self._engine or sa.create_engine("sqlite://", creator=creator, poolclass=NullPool)
        inspector = sa.inspect(engine)
        names = [*inspector.get_table_names(), *inspector.get_view_names()]
        lines = [f"{name}({_described(inspector.get_columns(name))})" for name in names]
        return "\n".join(lines)[:_MAX_SCHEMA_CHARS]


def _nothing(_: int) -> list[Iterable[object]]:
    return []


def _described(columns: Iterable[Mapping[str, object]]) -> str:
    return ", ".join(f"{column['name']} {column['type']}" for column in columns)


def _bindable(params: JsonObject) -> dict[str, str | int | float | None]:
    bound: dict[str, str | int | float | None] = {}
    for name, value in params.items():
        if isinstance(value, list | dict):
            raise ValueError(f"parameter {name!r}: expected a text, number, boolean or null")
        bound[name] = value
    return bound


def _cell(value: object) -> Json:
    """Return a database value as JSON: dates as ISO texts, decimals as numbers, bytes as hexadecimal."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if value - value == 0 else None
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case date() | clock():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case bytes():
            return value.hex()
        case _:
            return str(value)


def _reason(exc: Exception) -> str:
    """Say what went wrong, without the driver's class names, links and repeated statements."""
    inner: object = getattr(exc, "orig", None) or exc
    text = str(inner).strip().splitlines()[0] if str(inner).strip() else type(exc).__name__
    if text == "interrupted":
        return "the statement took too long and was stopped"
    return "this statement is not allowed here" if text == "not authorized" else text
