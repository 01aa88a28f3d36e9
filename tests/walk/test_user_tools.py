"""Tools that misbehave fail their node and nothing else."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from support import MakeWorkflow

from planloom.core.errors import ConfigError
from planloom.engine import Engine


def leaves() -> str:
    """Leave the program."""
    raise SystemExit(7)


async def leaves_async() -> str:
    """Leave the program."""
    raise SystemExit(7)


@pytest.mark.parametrize("function", [leaves, leaves_async])
async def test_a_tool_that_exits_fails_its_node(make_workflow: MakeWorkflow, tmp_path: Path, function: object) -> None:
    workflow = make_workflow("route: {retry: 0}\nnodes: {a: {tool: f}, b: {code: '1'}}\n", models="")
    async with Engine(journal=tmp_path / "j.db", tools={"f": function}) as engine:  # type: ignore[dict-item]
        result = await engine.run(workflow)
    assert result.status == "partial"
    assert "SystemExit: 7" in result.error


async def test_a_tool_that_never_ends_holds_up_nobody_else(make_workflow: MakeWorkflow, tmp_path: Path) -> None:
    never = threading.Event()

    def hang() -> str:
        """Hang."""
        never.wait()
        return ""

    nodes = ", ".join(f"h{i}: {{tool: hang, timeout: 200ms}}" for i in range(20))
    workflow = make_workflow(
        f"max_parallel: 40\nroute: {{retry: 0}}\nnodes: {{{nodes}, b: {{code: '1'}}}}\n", models=""
    )
    async with Engine(journal=tmp_path / "j.db", tools={"hang": hang}) as engine:
        result = await engine.run(workflow)
    assert result.nodes["b"].state == "done"
    assert {node.attempts[-1].failure for node in result.nodes.values() if node.id != "b"} == {"timeout"}
    never.set()


def test_a_blocking_tool_does_not_hold_the_process_at_its_end(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(
        'import time\n\n\ndef nap() -> str:\n    """Nap."""\n    time.sleep(600)\n    return ""\n'
    )
    tools = "tools: {nap: {ref: 'slow:nap', timeout: 500ms}}"
    (tmp_path / "w.yaml").write_text(
        f"version: 1\nname: w\nroute: {{retry: 0}}\n{tools}\nnodes: {{a: {{tool: nap}}}}\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-m", "planloom", "run", "w.yaml", "--plain"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.returncode == 1
    assert "took longer than 0.5 s" in done.stdout


async def test_a_database_that_is_not_there_is_named_with_its_line(make_workflow: MakeWorkflow, tmp_path: Path) -> None:
    workflow = make_workflow("tools: {db: {sql: 'sqlite:///nowhere.db'}}\nnodes: {a: {tool: db.schema}}\n", models="")
    async with Engine(journal=tmp_path / "j.db") as engine:
        with pytest.raises(ConfigError, match=r"<text>:3:\d+: tools\.db"):
            await engine.run(workflow)
        assert (await engine.runs(1))[0].status == "failed"
