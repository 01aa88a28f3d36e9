"""The tool `sql`: a database, read-only unless writing is granted."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from planloom.configs.spec import SqlSpec, ToolSpec
from planloom.core.errors import ConfigError, Problem, ToolError
from planloom.core.json import Json, JsonObject, closed
from planloom.core.plan import Effect, ToolName
from planloom.tools.base import Tool
from planloom.tools.csv_table import CsvDatabase
from planloom.tools.sql_base import Database, DatabaseError, Rows, Watch
from planloom.tools.sql_cell import cells
from planloom.tools.sql_duckdb import DuckDatabase
from planloom.tools.sql_sqlite import SqliteDatabase
from planloom.tools.sql_statement import StatementError, read_statement

_MAX_SCHEMA_CHARS = 8000
_ROWS_AT_ONCE = 100
_SQL: JsonObject = {"type": "string", "description": "one statement; parameters are written :name"}
_PARAMS: JsonObject = {"type": "object", "description": "values of the parameters, by name"}


class SqlSource:
    """`.query`, `.schema`, and with write access `.execute`."""

    def __init__(self, name: str, spec: ToolSpec, base_dir: Path) -> None:
        """Read the URL; nothing is opened.

        Raises:
            ConfigError: It is no URL of a database of these kinds.
        """
        self._name, self._spec, self._base = name, spec, base_dir
        self._sql = spec.sql if isinstance(spec.sql, SqlSpec) else SqlSpec(url=spec.sql or "")
        self._shown_url = self._sql.url
        self._database = self._make()
        self._schema_text = ""

    def _make(self) -> Database:
        kind, _, place = self._sql.url.partition(":")
        if kind == "csv":
            return CsvDatabase(self._base / place)
        if kind == "duckdb":
            return DuckDatabase(place, self._base)
        try:
            url = make_url(self._sql.url)
        except SQLAlchemyError as exc:
            raise self._fault("expected a URL such as sqlite:///data.db") from exc
        self._shown_url = url.render_as_string(hide_password=True)
        if url.get_backend_name() == "sqlite":
            return SqliteDatabase((self._base / (url.database or "")).resolve())
        if url.get_backend_name() == "postgresql":
            return self._postgres(url)
        raise self._fault(f"expected sqlite, postgresql, duckdb: or csv:, found {url.get_backend_name()!r}")

    @property
    def path(self) -> Path | None:
        """The file it reads; `None` for a server, or where DuckDB looks for files itself."""
        kind, _, place = self._sql.url.partition(":")
        if kind == "csv":
            return self._base / place
        return self._base / (make_url(self._sql.url).database or "") if kind == "sqlite" else None

    def _postgres(self, url: URL) -> Database:
        try:
            from planloom.tools.sql_postgres import PostgresDatabase
        except ImportError as exc:
            raise self._fault('PostgreSQL needs its driver: pip install "planloom[postgres]"') from exc
        return PostgresDatabase(url, timeout_s=self._spec.timeout, max_connections=self._spec.max_parallel)

    def _fault(self, message: str) -> ConfigError:
        return ConfigError(self._base, [Problem(message, f"tools.{self._name}.sql")])

    async def open(self) -> None:
        """Connect once and read the schema.

        Raises:
            ConfigError: The database or file cannot be opened.
        """
        try:
            await asyncio.to_thread(self._open)
        except (DatabaseError, OSError, ValueError) as exc:
            raise self._fault(f"cannot open {self._shown_url}: {exc}") from exc

    def _open(self) -> None:
        self._database.open()
        self._schema_text = self._read_schema()

    def _read_schema(self) -> str:
        return "\n".join(self._database.schema())[:_MAX_SCHEMA_CHARS]

    async def close(self) -> None:
        """Let go of the database; remove copies of files."""
        await asyncio.to_thread(self._database.close)

    def tools(self) -> tuple[Tool, ...]:
        """The operations that the access allows; after `open` they name tables and columns."""
        kind = self._database.kind
        schema = f"\nTables:\n{self._schema_text}" if self._schema_text else ""
        rows = f"Returns {{columns, rows, truncated}}, {self._sql.max_rows} rows at most."
        statement: JsonObject = {"sql": _SQL, "params": _PARAMS}
        query = self._tool("query", f"Read with one {kind} SELECT. {rows}{schema}", statement, self._query)
        tools = [query, self._tool("schema", "Return tables and columns as text.", {}, self._schema)]
        if self._spec.access == "write" and self._database.writable:
            about = (
                f"Run one {kind} statement that changes rows, or makes, alters or drops a table, view or index."
                " Returns {row_count, columns, rows, truncated}."
            )
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
            watch = Watch(self._spec.timeout)
            try:
                return await asyncio.to_thread(work, args, watch)
            except (DatabaseError, ValueError) as exc:
                raise ToolError(name, str(exc), permanent=isinstance(exc, StatementError)) from exc
            finally:
                watch.stop()  # a statement whose caller has gone away stops too

        def vet(args: JsonObject) -> Iterator[tuple[str, str]]:
            sql, params = args.get("sql"), args.get("params", {})
            if not isinstance(sql, str) or "${" in sql:
                return
            try:
                statement = read_statement(sql, {}, self._database.dialect, write=effect == "write")
            except StatementError as exc:
                yield "sql", str(exc)
                return
            if isinstance(params, dict):
                yield from (("sql", fault) for fault in statement.unbound(params))

        return Tool(
            name=ToolName(name),
            description=f"{self._spec.description} {about}".strip(),
            parameters=closed(properties, ["sql"] if properties else []),
            effect=effect,
            call=call,
            vet=vet,
            timeout_s=self._spec.timeout + 1,
            max_parallel=min(self._spec.max_parallel, self._database.max_parallel),
            control=frozenset({"sql"}) if effect == "write" else None,  # one that reads sends nothing out
        )

    def _query(self, args: JsonObject, watch: Watch) -> Json:
        return self._run(args, watch, write=False)

    def _execute(self, args: JsonObject, watch: Watch) -> Json:
        return self._run(args, watch, write=True)

    def _schema(self, args: JsonObject, watch: Watch) -> Json:
        self._schema_text = self._read_schema()
        return self._schema_text

    def _run(self, args: JsonObject, watch: Watch, *, write: bool) -> JsonObject:
        statement = read_statement(str(args["sql"]), args.get("params", {}), self._database.dialect, write=write)
        with self._database.run(statement, watch) as rows:
            return self._shown(rows)

    def _shown(self, rows: Rows) -> JsonObject:
        """Take rows until there are enough, by number or by size."""
        taken, size, more = list[Json](), 0, bool(rows.columns)
        while more and len(taken) <= self._sql.max_rows and size <= self._sql.max_bytes:
            found = rows.fetch(min(_ROWS_AT_ONCE, self._sql.max_rows + 1 - len(taken)))
            more = bool(found)
            for row in cells(found):
                size += len(json.dumps(row, ensure_ascii=False, default=str))
                if size > self._sql.max_bytes:
                    break
                taken.append(cast("Json", row))
        shown: JsonObject = {"row_count": rows.count} if rows.count is not None else {}
        truncated = len(taken) > self._sql.max_rows or size > self._sql.max_bytes
        return {**shown, "columns": [*rows.columns], "rows": taken[: self._sql.max_rows], "truncated": truncated}
