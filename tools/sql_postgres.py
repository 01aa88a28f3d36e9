"""PostgreSQL, kept within bounds by the server: a read-only transaction, timeouts, one statement, a lesser role."""

from collections.abc import Generator
from contextlib import contextmanager
from itertools import pairwise
from typing import ClassVar

import psycopg
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout
from sqlalchemy.engine import URL

from planloom.tools.sql_base import TOO_LONG, DatabaseError, Rows, Watch
from planloom.tools.sql_statement import Statement

_CONNECT_S = 10
_CATALOGUE = frozenset(
    (
        "pg_attribute",
        "pg_catalog",
        "pg_class",
        "pg_collation",
        "pg_constraint",
        "pg_database_size",
        "pg_description",
        "pg_enum",
        "pg_get_constraintdef",
        "pg_get_expr",
        "pg_get_indexdef",
        "pg_get_viewdef",
        "pg_index",
        "pg_indexes",
        "pg_indexes_size",
        "pg_matviews",
        "pg_namespace",
        "pg_relation_size",
        "pg_size_pretty",
        "pg_stats",
        "pg_table_size",
        "pg_tables",
        "pg_total_relation_size",
        "pg_type",
        "pg_typeof",
        "pg_views",
    )
)
"""Names with the server's prefix that tell of tables and types; all others reach the server itself."""
_NEVER = frozenset(("current_setting", "set_config", "ts_stat"))
_NEVER_PARTS = ("dblink", "lo_", "_to_xml", "postgres_fdw", "crosstab")
_VOLATILE_OK = frozenset(("random", "clock_timestamp", "timeofday", "gen_random_uuid", "setseed", "random_normal"))
_VOLATILE_OK_IN_WRITES = frozenset(("nextval", "setval", "currval", "lastval"))
_SCHEMA = """
SELECT CASE n.nspname WHEN 'public' THEN '' ELSE n.nspname || '.' END || c.relname || '(' ||
       string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod), ', ' ORDER BY a.attnum) || ')'
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped AND NOT c.relispartition
  AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%' AND has_table_privilege(c.oid, 'SELECT')
GROUP BY n.nspname, c.relname ORDER BY n.nspname <> 'public', n.nspname, c.relname
"""


class PostgresDatabase:
    """A PostgreSQL database by URL, over a pool of connections."""

    kind: ClassVar[str] = "PostgreSQL"
    dialect: ClassVar[str] = "postgres"
    writable: ClassVar[bool] = True
    max_parallel: ClassVar[int] = 64

    def __init__(self, url: URL, *, timeout_s: float, max_connections: int) -> None:
        self._conninfo = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._timeout_ms = max(1, int(timeout_s * 1000))
        self._max_connections = max_connections
        self._pool: ConnectionPool | None = None
        self._reader = ""
        """Role that reads take on; empty where the connected one will do."""

    def open(self) -> None:
        """Connect once, and see what role this is.

        Raises:
            DatabaseError: The server does not answer, or refuses.
        """
        try:
            with psycopg.connect(self._conninfo, connect_timeout=_CONNECT_S) as connection:
                if (
                    connection.info.parameter_status("is_superuser") == "on"
                    and connection.info.server_version >= 140000
                ):
                    self._reader = "pg_read_all_data"  # reads every table, and no file of the server's
            # Prepared statements go over the protocol in which the server itself takes one statement at a time.
            options = {"prepare_threshold": 0, "connect_timeout": _CONNECT_S}
            pool: ConnectionPool[psycopg.Connection] = ConnectionPool(
                self._conninfo,
                kwargs=options,
                min_size=0,
                max_size=self._max_connections,
                check=ConnectionPool.check_connection,
                open=False,
            )
            pool.open()
            self._pool = pool
        except psycopg.Error as exc:
            raise DatabaseError(_reason(exc)) from exc

    def close(self) -> None:
        """Close the pool."""
        if self._pool is not None:
            self._pool.close()

    def schema(self) -> list[str]:
        """Return the tables and views this role may read.

        Raises:
            DatabaseError: The server is gone.
        """
        with self._transaction(write=False) as connection:
            return [str(line) for (line,) in connection.execute(_SCHEMA.encode()).fetchall()]

    @contextmanager
    def run(self, statement: Statement, watch: Watch) -> Generator[Rows]:
        """Run a statement.

        Raises:
            DatabaseError: It calls what it may not, failed, or took too long.
        """
        _refuse_names(statement)
        query = statement.written(lambda name: f"%({name})s", lambda text: text.replace("%", "%%")).encode()
        params = dict(statement.params)
        with self._transaction(write=statement.write) as connection:
            _refuse_volatile(connection, statement)
            if statement.write:
                cursor = connection.execute(query, params)
                yield _rows(cursor, watch, max(cursor.rowcount, 0))
            else:
                if self._reader:
                    connection.execute(f"SET LOCAL ROLE {self._reader}".encode())
                with connection.cursor(name="planloom") as reading:  # a cursor of the server's takes reads only
                    reading.execute(query, params)
                    yield _rows(reading, watch, None)

    @contextmanager
    def _transaction(self, *, write: bool) -> Generator[psycopg.Connection]:
        if self._pool is None:
            raise DatabaseError("the database is not open")
        try:
            with self._pool.connection(timeout=_CONNECT_S) as connection:
                if not write:
                    connection.execute("SET TRANSACTION READ ONLY")
                for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
                    connection.execute(f"SET LOCAL {name} = {self._timeout_ms}".encode())
                connection.execute("SET LOCAL standard_conforming_strings = on")  # as the parser reads them
                yield connection
        except psycopg.errors.QueryCanceled as exc:
            raise DatabaseError(TOO_LONG) from exc
        except (PoolTimeout, PoolClosed) as exc:
            raise DatabaseError("the server does not answer") from exc
        except psycopg.Error as exc:
            raise DatabaseError(_reason(exc)) from exc


def _rows(cursor: psycopg.Cursor | psycopg.ServerCursor, watch: Watch, count: int | None) -> Rows:
    def fetch(size: int) -> list[tuple[object, ...]]:
        if watch.over:
            raise DatabaseError(TOO_LONG)
        return cursor.fetchmany(size) if cursor.description else []

    return Rows(columns=tuple(column.name for column in cursor.description or ()), fetch=fetch, count=count)


def _refuse_names(statement: Statement) -> None:
    """Refuse names that reach the server's files, network, settings or other sessions.

    Raises:
        DatabaseError: There is one.
    """
    tokens = statement.tokens
    if any(a.text.lower() == "u" and b.text == "&" and b.start == a.end + 1 for a, b in pairwise(tokens)):
        raise DatabaseError("names and texts written with U& are not allowed")
    for name in sorted(statement.names):
        if name.startswith("pg_") and name not in _CATALOGUE:
            raise DatabaseError(f"{name} is not allowed: it belongs to the server, not to the data")
    for name in sorted(statement.called):
        if name in _NEVER or any(part in name for part in _NEVER_PARTS):
            raise DatabaseError(f"function {name} is not allowed: it reaches beyond the data")


def _refuse_volatile(connection: psycopg.Connection, statement: Statement) -> None:
    """Refuse functions that the server's own catalogue says may do more than compute.

    Raises:
        DatabaseError: There is one.
    """
    harmless = _VOLATILE_OK | _VOLATILE_OK_IN_WRITES if statement.write else _VOLATILE_OK
    asked = sorted(statement.called - harmless)
    volatile = connection.execute(
        "SELECT proname FROM pg_catalog.pg_proc WHERE proname = ANY(%s::text[]) GROUP BY proname"
        " HAVING bool_or(provolatile = 'v') LIMIT 1",
        (asked,),
    ).fetchone()
    if volatile:
        raise DatabaseError(f"function {volatile[0]} is not allowed: it is VOLATILE and may do more than compute")


def _reason(exc: Exception) -> str:
    return (str(exc).strip() or type(exc).__name__).splitlines()[0]
