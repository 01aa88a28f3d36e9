"""CSV and Parquet files as tables, in a child process that can be killed."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import duckdb
import pytest
import pytest_asyncio

from planloom.configs.spec import SqlSpec, ToolSpec
from planloom.core.errors import ToolError
from planloom.core.json import JsonObject
from planloom.core.plan import ToolName
from planloom.tools.sandbox import Sandbox
from planloom.tools.toolbox import Toolbox

QUERY, SCHEMA = ToolName("db.query"), ToolName("db.schema")
ENDLESS_IN_ONE_THREAD = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
ENDLESS = "SELECT count(*) FROM range(100000000000) a, range(1000)"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    data.mkdir()
    (data / "cities in use.csv").write_text("id,name,zip\n1,Ulm,08907\n2,Bonn,53111\n")
    for part in (1, 2):
        rows = f"SELECT range AS i, range % 2 = 0 AS even, DATE '2026-01-01' AS day FROM range({part} * 10)"
        duckdb.sql(f"COPY ({rows}) TO '{data}/orders-{part}.parquet'")
    (data / "notes.txt").write_text("not a table")
    return tmp_path


def toolbox(folder: Path, place: str, *, rows: int = 1000, size: int = 1_000_000, timeout_s: float = 20) -> Toolbox:
    spec = ToolSpec(
        sql=SqlSpec(url=f"duckdb:{place}", max_rows=rows, max_bytes=size), access="write", timeout=timeout_s
    )
    return Toolbox({"db": spec}, base_dir=folder, sandbox=Sandbox())


@pytest_asyncio.fixture
async def box(folder: Path) -> AsyncIterator[Toolbox]:
    async with toolbox(folder, "data", rows=5, size=1000) as opened:
        yield opened


async def test_a_folder_is_a_table_for_each_file(box: Toolbox) -> None:
    assert await box.call(SCHEMA, {}) == (
        "cities_in_use(id BIGINT, name VARCHAR, zip VARCHAR)\n"
        "orders_1(i BIGINT, even BOOLEAN, day DATE)\n"
        "orders_2(i BIGINT, even BOOLEAN, day DATE)"
    )
    assert "orders_1(i BIGINT" in box.tools[QUERY].description
    assert [str(name) for name in box.tools] == ["db.query", "db.schema"]


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("data/orders-*.parquet", "orders(i BIGINT, even BOOLEAN, day DATE)"),
        ("data/*.parquet", "data(i BIGINT, even BOOLEAN, day DATE)"),
        ("**/*.parquet", "data(i BIGINT, even BOOLEAN, day DATE)"),
        ("data/orders-1.parquet", "orders_1(i BIGINT, even BOOLEAN, day DATE)"),
        ("data/cities in use.csv", "cities_in_use(id BIGINT, name VARCHAR, zip VARCHAR)"),
    ],
)
async def test_a_glob_or_file_is_one_table(folder: Path, place: str, expected: str) -> None:
    async with toolbox(folder, place) as box:
        assert await box.call(SCHEMA, {}) == expected


async def test_a_database_file_is_read_where_it_is(folder: Path) -> None:
    with duckdb.connect(str(folder / "own.duckdb")) as connection:
        connection.execute("CREATE TABLE t AS SELECT 7 AS a")
    async with toolbox(folder, "own.duckdb") as box:
        found = await box.call(QUERY, {"sql": "SELECT a FROM t"})
        assert found == {"columns": ["a"], "rows": [[7]], "truncated": False}


async def test_values_become_json(box: Toolbox) -> None:
    sql = (
        "SELECT [1, 2], {'a': DATE '2026-01-01'}, 1.50::DECIMAL(9, 2), 'nan'::DOUBLE, 'ab'::BLOB, INTERVAL 1 MINUTE, "
        "170141183460469231731687303715884105727::HUGEINT, :text"
    )
    found = await box.call(QUERY, {"sql": sql, "params": {"text": "'; DROP TABLE x; --"}})
    assert isinstance(found, dict)
    big = 170141183460469231731687303715884105727
    expected = [[1, 2], {"a": "2026-01-01"}, 1.5, None, "6162", 60.0, big, "'; DROP TABLE x; --"]
    assert found["rows"] == [expected]


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("FROM range(100000000000)", 5),
        ("SELECT repeat('x', 300) FROM range(100000000000)", 3),
        ("SELECT repeat('x', 500000)", 0),
    ],
)
async def test_an_answer_is_capped_by_rows_and_by_size(box: Toolbox, sql: str, rows: int) -> None:
    found = await box.call(QUERY, {"sql": sql})
    assert isinstance(found, dict)
    assert isinstance(found["rows"], list)
    assert (len(found["rows"]), found["truncated"]) == (rows, True)


@pytest.mark.parametrize(
    "sql", [ENDLESS_IN_ONE_THREAD, "SELECT length(repeat('x', 1500000000)) + length(repeat('y', 1500000000))"]
)
async def test_a_statement_that_never_ends_or_takes_all_memory_is_stopped(folder: Path, sql: str) -> None:
    async with toolbox(folder, "data", timeout_s=4) as box:
        with pytest.raises(ToolError, match=r"took too long|Out of Memory|want of memory"):
            await box.call(QUERY, {"sql": sql})
        found = await box.call(QUERY, {"sql": "SELECT count(*) AS n FROM orders_1"})
        assert found == {"columns": ["n"], "rows": [[10]], "truncated": False}


async def test_a_cancelled_statement_stops(folder: Path) -> None:
    async with toolbox(folder, "data", timeout_s=50) as box:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await box.call(QUERY, {"sql": ENDLESS})
    await asyncio.get_running_loop().shutdown_default_executor()


def children() -> list[int]:
    return [int(pid) for found in Path("/proc/self/task").glob("*/children") for pid in found.read_text().split()]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc to find the child process")
async def test_a_killed_child_is_one_failed_call(folder: Path) -> None:
    def found_child(known: set[int]) -> int:
        return next(pid for pid in children() if pid not in known and b"duck_child" in _command(pid))

    known = {pid for pid in children() if b"duck_child" in _command(pid)}
    async with toolbox(folder, "data", timeout_s=50) as box:
        os.kill(found_child(known), signal.SIGKILL)
        args: JsonObject = {"sql": "SELECT count(*) AS n FROM orders_1"}
        with pytest.raises(ToolError, match="DuckDB"):
            await box.call(QUERY, args)
        assert await box.call(QUERY, args) == {"columns": ["n"], "rows": [[10]], "truncated": False}


def _command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()
