"""What an obedient worker may be told to run: nothing of it succeeds, and the database lives on."""

import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import duckdb
import psycopg
import pytest
from hostile_sql import COMMON, DUCKDB, POSTGRES, SQLITE
from postgres import Postgres
from sqlalchemy import make_url

from planloom.configs.spec import SqlSpec, ToolSpec
from planloom.core.errors import ToolError
from planloom.core.plan import ToolName
from planloom.tools.sandbox import Sandbox
from planloom.tools.sql_base import Database, DatabaseError, Watch
from planloom.tools.sql_duckdb import DuckDatabase
from planloom.tools.sql_postgres import PostgresDatabase
from planloom.tools.sql_sqlite import SqliteDatabase
from planloom.tools.sql_statement import Statement
from planloom.tools.toolbox import Toolbox

QUERY, EXECUTE = ToolName("db.query"), ToolName("db.execute")
CANARY = "canary-4711"
ROWS = """
CREATE TABLE city (id INTEGER, name TEXT, area REAL);
INSERT INTO city VALUES (1, 'Ulm', 118.7), (2, 'Bonn', 141.1)
"""
STILL_THERE = [[1, "Ulm"], [2, "Bonn"]]
# What reaches beyond the rows even where rows may be changed.
BEYOND_WRITES = (
    *("COPY", "CREATE EXTENSION", "CREATE ROLE", "CREATE FUNCTION", "CREATE TRIGGER", "CREATE VIRTUAL", "ALTER SYSTEM"),
    *("ALTER ROLE", "DO ", "SET ", "ATTACH", "DETACH", "PRAGMA", "VACUUM", "GRANT", "LISTEN", "CALL"),
)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    (tmp_path / "secret.txt").write_text(f"a\n{CANARY}\n")
    return tmp_path / "secret.txt"


@pytest.fixture(scope="module")
def postgres(postgres: Postgres) -> Postgres:
    """A database with rows to read and to spoil."""
    with psycopg.connect(postgres.url) as connection:
        connection.execute(ROWS.encode())
    return postgres


def sqlite_file(folder: Path) -> Path:
    with sqlite3.connect(folder / "data.db") as connection:
        connection.executescript(ROWS)
    connection.close()
    return folder / "data.db"


def csv_folder(folder: Path) -> Path:
    (folder / "data").mkdir()
    (folder / "data" / "city.csv").write_text("id,name,area\n1,Ulm,118.7\n2,Bonn,141.1\n")
    duckdb.sql(f"COPY (SELECT range AS i FROM range(10)) TO '{folder}/data/numbers.parquet'").close()
    return folder / "data"


def opened(
    url: str, folder: Path, *, write: bool = False, seconds: float = 1.5
) -> AbstractAsyncContextManager[Toolbox]:
    spec = ToolSpec(sql=SqlSpec(url=url), access="write" if write else "read", timeout=seconds)
    return Toolbox({"db": spec}, base_dir=folder, sandbox=Sandbox())


async def succeeded(box: Toolbox, statements: Sequence[str], secret: Path, name: ToolName = QUERY) -> list[str]:
    """Run each; return those that did not fail with a reason of their own."""
    wrong = []
    for statement in statements:
        text = statement.replace("{secret}", str(secret)).replace("{folder}", str(secret.parent))
        try:
            found = await box.call(name, {"sql": text})
        except ToolError as exc:
            if len(exc.message) < 8 or CANARY in exc.message or "Traceback" in exc.message:
                wrong.append(f"{statement[:80]}: reason {exc.message!r}")
        else:
            wrong.append(f"{statement[:80]}: {str(found)[:80]}")
    found = await box.call(QUERY, {"sql": "SELECT id, name FROM city ORDER BY id"})
    assert isinstance(found, dict)
    assert found["rows"] == STILL_THERE
    return wrong


async def test_nothing_hostile_succeeds_in_sqlite(tmp_path: Path, secret: Path) -> None:
    before = sqlite_file(tmp_path).read_bytes()
    async with opened("sqlite:///data.db", tmp_path) as box:
        assert len(COMMON + SQLITE) > 60
        assert await succeeded(box, COMMON + SQLITE, secret) == []
    assert (tmp_path / "data.db").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.db", "secret.txt"]


async def test_nothing_hostile_succeeds_in_postgresql(tmp_path: Path, secret: Path, postgres: Postgres) -> None:
    async with opened(postgres.url, tmp_path) as box:
        assert len(COMMON + POSTGRES) > 100
        assert await succeeded(box, COMMON + POSTGRES, secret) == []
    assert [path.name for path in tmp_path.iterdir()] == ["secret.txt"]


async def test_nothing_hostile_succeeds_in_duckdb(tmp_path: Path, secret: Path) -> None:
    csv_folder(tmp_path)
    python_secret = duckdb.sql(f"SELECT '{CANARY}' AS a")
    async with opened("duckdb:data", tmp_path, seconds=5) as box:
        assert len(COMMON + DUCKDB) > 90
        assert await succeeded(box, COMMON + DUCKDB, secret) == []
    assert python_secret.fetchall() == [(CANARY,)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "secret.txt"]
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["city.csv", "numbers.parquet"]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_leave_to_write_is_leave_to_change_rows_and_tables_only(
    tmp_path: Path, secret: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    sqlite_file(tmp_path)
    url = "sqlite:///data.db" if kind == "sqlite" else request.getfixturevalue("postgres").url
    statements = [s for s in (*SQLITE, *POSTGRES) if s.startswith(BEYOND_WRITES) or s.startswith("SELECT pg_")]
    async with opened(url, tmp_path, write=True) as box:
        assert len(statements) > 30
        assert await succeeded(box, statements, secret, EXECUTE) == []
        made: list[tuple[str, str]] = [
            ("CREATE TABLE x (a INTEGER)", "0"),
            ("INSERT INTO x VALUES (:a), (8)", "2"),
            ("UPDATE x SET a = a + 1", "2"),
            ("DROP TABLE x", "0"),
        ]
        for sql, count in made:
            found = await box.call(EXECUTE, {"sql": sql, "params": {"a": 7} if ":a" in sql else {}})
            assert isinstance(found, dict)
            assert str(found["row_count"]) == count
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.db", "secret.txt"]


@asynccontextmanager
async def unparsed(database: Database) -> AsyncIterator[Database]:
    database.open()
    try:
        yield database
    finally:
        database.close()


def leaks(database: Database, statements: Sequence[str], secret: Path) -> list[str]:
    """Hand statements to the database as if the parser had seen nothing in them; return what got out or in."""
    wrong = []
    for statement in statements:
        text = statement.replace("{secret}", str(secret)).replace("{folder}", str(secret.parent))
        blind = Statement(text=text, params={}, write=False, tokens=())
        try:
            with database.run(blind, Watch(1.5)) as rows:
                found = str(list(rows.fetch(10)))
        except DatabaseError:
            continue
        if CANARY in found:
            wrong.append(f"{statement}: {found[:80]}")
    plain = Statement(text="SELECT id, name FROM city ORDER BY id", params={}, write=False, tokens=())
    with database.run(plain, Watch(10)) as rows:
        assert [list(row) for row in rows.fetch(10)] == STILL_THERE
    return wrong


@pytest.mark.parametrize("kind", ["sqlite", "duckdb", "postgresql"])
async def test_the_database_alone_holds_the_line_where_the_parser_misses_something(
    tmp_path: Path, secret: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    made: Database
    if kind == "sqlite":
        made, statements = SqliteDatabase(sqlite_file(tmp_path)), SQLITE
    elif kind == "duckdb":
        made, statements = DuckDatabase(str(csv_folder(tmp_path)), tmp_path), DUCKDB
    else:
        url = make_url(request.getfixturevalue("postgres").url)
        made, statements = PostgresDatabase(url, timeout_s=0.5, max_connections=2), POSTGRES
    before = sorted(path.name for path in tmp_path.iterdir())
    async with unparsed(made) as database:
        assert leaks(database, (*COMMON, *statements), secret) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == before
