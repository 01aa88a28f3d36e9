"""Facts that docs/workflow.md and docs/python.md state in passing."""

import re
import sqlite3
from pathlib import Path

from support import MakeWorkflow

from planloom.configs.load import Workflow
from planloom.engine import Engine
from planloom.tools.toolbox import MAX_RESULT_BYTES

DOCS = Path(__file__).parents[2] / "docs"


async def test_sql_parameters_are_a_mapping_with_names(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "s.db") as connection:
        connection.executescript("CREATE TABLE sales (region); INSERT INTO sales VALUES ('north'), ('south')")
    connection.close()
    query = {"sql": "SELECT * FROM sales WHERE region = :region", "params": {"region": "${inputs.region}"}}
    data = {
        "version": 1,
        "name": "w",
        "inputs": {"region": {"default": "south"}},
        "tools": {"db": {"sql": "sqlite:///s.db"}},
        "nodes": {"rows": {"tool": "db.query", "with": query}},
        "output": "${nodes.rows.output.rows}",
    }
    async with Engine(journal=":memory:") as engine:
        result = await engine.run(Workflow.from_dict(data, base_dir=tmp_path))
    assert result.output == [["south"]], result.error


async def test_not_a_number_from_a_function_is_null_and_a_goal_beside_a_tool_is_a_label(
    make_workflow: MakeWorkflow,
) -> None:
    def odd() -> list[float]:
        return [1.0, float("nan"), float("inf")]

    workflow = make_workflow("nodes: {a: {tool: odd, goal: Some odd numbers}}\n", models="")
    async with Engine(journal=":memory:", tools={"odd": odd}) as engine:
        result = await engine.run(workflow)
    assert result.nodes["a"].output == [1.0, None, None]
    assert result.nodes["a"].goal == "Some odd numbers"
    assert result.usage.calls == 0


async def test_a_no_fails_the_node_and_a_run_is_found_by_its_beginning(make_workflow: MakeWorkflow) -> None:
    workflow = make_workflow("nodes: {a: {code: '1', approve: true}}\n", models="")
    async with Engine(journal=":memory:") as engine:
        held = await engine.run(workflow)
        result = await engine.resume(held.run_id[:-2], {"a": False})
    assert result.status == "failed"
    assert result.nodes["a"].state == "failed"


def test_the_size_of_a_result_stands_on_both_pages() -> None:
    for page in ("workflow.md", "python.md"):
        assert f"{MAX_RESULT_BYTES:,} bytes" in (DOCS / page).read_text(encoding="utf-8")


def test_the_files_that_the_map_names_are_there() -> None:
    """Those of `docs/architecture.md`: a rule that moved is found under its new name."""
    root, page = DOCS.parent, (DOCS / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\b(?:agents|configs|core|graphs|models|planloom|quality|state|tools)/[\w./]+\.\w+", page))
    assert len(named) > 60
    assert [name for name in sorted(named) if not (root / name).is_file()] == []
