import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from planloom.configs.spec import SqlSpec, ToolSpec
from planloom.core.errors import ConfigError, ToolError
from planloom.core.json import Json, JsonObject
from planloom.core.plan import ToolName
from planloom.tools.sandbox import Sandbox
from planloom.tools.toolbox import Toolbox

QUERY, SCHEMA, EXECUTE = ToolName("db.query"), ToolName("db.schema"), ToolName("db.execute")
ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
STILL_THERE = {"columns": ["name"], "rows": [["Ulm"], ["Bonn"]], "truncated": False}


@pytest.fixture
def database(tmp_path: Path) -> Path:
    connection = sqlite3.connect(tmp_path / "data.db")
    connection.execute("CREATE TABLE city (id INTEGER, name TEXT, area REAL)")
    connection.execute("INSERT INTO city VALUES (1, 'Ulm', 118.7), (2, 'Bonn', 141.1)")
    connection.commit()
    connection.close()
    return tmp_path / "data.db"


def spec(*, write: bool = False, rows: int = 1000, timeout_s: float = 20) -> ToolSpec:
    sql = SqlSpec(url="sqlite:///data.db", max_rows=rows)
    return ToolSpec(sql=sql, access="write" if write else "read", timeout=timeout_s)


@pytest_asyncio.fixture
async def box(database: Path) -> AsyncIterator[Toolbox]:
    specs = {"db": spec(rows=3), "wr": spec(write=True)}
    async with Toolbox(specs, base_dir=database.parent, sandbox=Sandbox()) as opened:
        yield opened


async def test_parameters_are_bound_and_not_pasted(box: Toolbox) -> None:
    args: JsonObject = {"sql": "SELECT name FROM city WHERE name = :name", "params": {"name": "' OR 1=1 --"}}
    assert await box.call(QUERY, args) == {"columns": ["name"], "rows": [], "truncated": False}
    args["params"] = {"name": "Ulm"}
    assert await box.call(QUERY, args) == {"columns": ["name"], "rows": [["Ulm"]], "truncated": False}


@pytest.mark.parametrize("params", [{}, {"n": [1]}, {"other": 1}])
async def test_parameters_that_do_not_fit_are_a_clear_error(box: Toolbox, params: JsonObject) -> None:
    with pytest.raises(ToolError, match="n"):
        await box.call(QUERY, {"sql": "SELECT :n", "params": params})


async def test_rows_are_capped_and_marked(box: Toolbox) -> None:
    sql = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 100) SELECT x FROM c"
    assert await box.call(QUERY, {"sql": sql}) == {"columns": ["x"], "rows": [[1], [2], [3]], "truncated": True}


async def test_values_become_json(box: Toolbox) -> None:
    sql = "SELECT NULL AS a, 9e999 AS b, x'00ff' AS c, 2.5 AS d, 9007199254740993 AS e"
    found = await box.call(QUERY, {"sql": sql})
    assert isinstance(found, dict)
    assert found["rows"] == [[None, None, "00ff", 2.5, 9007199254740993]]


async def test_executing_writes_and_counts(box: Toolbox) -> None:
    args: JsonObject = {"sql": "INSERT INTO city VALUES (:id, 'Köln', NULL)", "params": {"id": 3}}
    found = await box.call(ToolName("wr.execute"), args)
    assert isinstance(found, dict)
    assert found["row_count"] == 1
    count: Json = {"columns": ["n"], "rows": [[3]], "truncated": False}
    assert await box.call(QUERY, {"sql": "SELECT count(*) AS n FROM city"}) == count


async def test_a_failed_statement_changes_nothing(box: Toolbox, database: Path) -> None:
    sql = "INSERT INTO city SELECT 1, 2, 3 UNION ALL SELECT abs(-9223372036854775808), 1, 1"
    with pytest.raises(ToolError, match="integer overflow"):
        await box.call(ToolName("wr.execute"), {"sql": sql})
    assert await box.call(QUERY, {"sql": "SELECT name FROM city ORDER BY id"}) == STILL_THERE


async def test_an_endless_query_is_stopped(database: Path) -> None:
    async with Toolbox({"db": spec(timeout_s=0.2)}, base_dir=database.parent, sandbox=Sandbox()) as box:
        with pytest.raises(ToolError, match="took too long and was stopped"):
            await box.call(QUERY, {"sql": ENDLESS})


async def test_a_cancelled_query_stops_in_its_thread(database: Path) -> None:
    async with Toolbox({"db": spec(timeout_s=50)}, base_dir=database.parent, sandbox=Sandbox()) as box:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await box.call(QUERY, {"sql": ENDLESS})
    await asyncio.get_running_loop().shutdown_default_executor()


async def test_the_schema_stands_in_the_description(box: Toolbox) -> None:
    expected = "city(id INTEGER, name TEXT, area REAL)"
    assert expected in box.tools[QUERY].description
    assert await box.call(SCHEMA, {}) == expected


def test_what_may_be_called_is_known_before_anything_is_open(tmp_path: Path) -> None:
    box = Toolbox({"db": spec(), "wr": spec(write=True)}, base_dir=tmp_path, sandbox=Sandbox())
    effects = {name: tool.effect for name, tool in box.tools.items()}
    assert effects == {
        "db.query": "read",
        "db.schema": "read",
        "wr.query": "read",
        "wr.schema": "read",
        "wr.execute": "write",
    }


@pytest.mark.parametrize(
    "url",
    ["sqlite:///none.db", "csv:none.csv", "csv:empty.csv", "duckdb:none.csv", "duckdb:none", "duckdb:*.parquet",
     "duckdb:none.duckdb", "postgresql://u:pw@127.0.0.1:1/d"],
)  # fmt: skip
async def test_a_database_that_cannot_be_opened_is_a_fault_of_the_workflow(tmp_path: Path, url: str) -> None:
    (tmp_path / "empty.csv").write_text("")
    box = Toolbox({"db": ToolSpec(sql=url)}, base_dir=tmp_path, sandbox=Sandbox())
    with pytest.raises(ConfigError, match=r"tools\.db\.sql: cannot open") as caught:
        async with box:
            pass
    assert "pw" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["empty.csv"]


@pytest.mark.parametrize("url", ["mysql://u:pw@h/d", "nonsense", "oracle://x"])
def test_other_databases_are_refused_without_showing_the_url(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Toolbox({"db": ToolSpec(sql=url)}, base_dir=tmp_path, sandbox=Sandbox())
    assert caught.value.problems[0].field == "tools.db.sql"
    assert "pw" not in str(caught.value)


async def test_a_csv_file_is_a_table_with_types(tmp_path: Path) -> None:
    (tmp_path / "my data.csv").write_text(
        '\ufeffid,temp,code,"a ""b""",,id\n1,1.5,007,x,,\n2,,008,"y,z",5\n\n3,2,009,\'; DROP TABLE x,,,8\n',
        encoding="utf-8",
    )
    async with Toolbox(
        {"db": ToolSpec(sql="csv:my data.csv", access="write")}, base_dir=tmp_path, sandbox=Sandbox()
    ) as box:
        assert await box.call(SCHEMA, {}) == (
            "my_data(id INTEGER, temp REAL, code TEXT, a b TEXT, column_5 INTEGER, id_6 INTEGER)"
        )
        found = await box.call(QUERY, {"sql": "SELECT sum(id), sum(temp), max(code), count(column_5) FROM my_data"})
        assert isinstance(found, dict)
        assert found["rows"] == [[6, 3.5, "009", 1]]
        assert EXECUTE not in box.tools
