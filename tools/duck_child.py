"""DuckDB in a process of its own, so that a statement can be stopped whatever it does, and its memory has a bound.

Started as a script by `sql_duckdb`: `python -I duck_child.py SETUP`, with requests and answers as lines of JSON.
DuckDB's own settings refuse files, networks, extensions and writes; the kernel refuses them once more where it can.
"""

import importlib.util
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import duckdb

_SPARE_MEMORY_MB = 2048
"""Address space beyond DuckDB's own limit: code, stacks, and what its allocator sets aside."""
_CPU_S = 3600
_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_persistent_secrets": "false",
    "python_enable_replacements": "false",
    "temp_directory": "",
}


def main(setup: Mapping[str, object]) -> None:
    """Open the database, give up everything else, and answer until the input ends."""
    confine, cells = _beside("confine"), _beside("sql_cell")
    memory_mb = int(str(setup["memory_mb"]))
    if sys.platform == "linux":
        confine.die_with_parent(setup["parent"])
    connection = _connect(setup, memory_mb)
    if not confine.missing():
        limits = {"memory_bytes": (memory_mb + _SPARE_MEMORY_MB) * 2**20, "cpu_s": _CPU_S, "file_bytes": 0}
        confine.restrict_resources(**limits)
        confine.restrict_files(setup["readable"], [])
        confine.restrict_calls()
    _say({})
    for line in sys.stdin:
        _say(_answer(connection, json.loads(line), cells))


def _beside(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    if spec is None or spec.loader is None:
        raise ImportError(f"{name}.py is not beside duck_child.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _connect(setup: Mapping[str, object], memory_mb: int) -> "duckdb.DuckDBPyConnection":
    settings = dict(_SETTINGS)
    settings.update(memory_limit=f"{memory_mb}MB", threads=2)
    connection = duckdb.connect(str(setup["database"]), read_only=True, config=settings)
    connection.execute("SET allowed_paths = $paths", {"paths": setup["granted"]})
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def _answer(connection: "duckdb.DuckDBPyConnection", request: Mapping[str, object], cells: ModuleType) -> object:
    try:
        if "sql" in request:
            return _execute(connection, str(request["sql"]), request["params"])
        return {"rows": cells.cells(connection.fetchmany(int(str(request["fetch"]))))}
    except MemoryError:
        return {"error": "out of memory"}
    except (duckdb.Error, ValueError, TypeError, RuntimeError) as exc:
        return {"error": (str(exc).strip() or type(exc).__name__).splitlines()[0]}


def _execute(connection: "duckdb.DuckDBPyConnection", sql: str, params: object) -> object:
    """Run a statement that DuckDB's own parser, too, takes for one that reads."""
    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        return {"error": f"expected one statement, found {len(statements)}"}
    if statements[0].type != duckdb.StatementType.SELECT:
        return {"error": f"{statements[0].type.name} is not allowed here"}
    connection.execute(sql, params or None)
    return {"columns": [column[0] for column in connection.description or ()]}


def _say(answer: object) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
