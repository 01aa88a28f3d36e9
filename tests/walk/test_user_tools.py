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
        timeout=200,
    )
    assert done.returncode == 1
    assert "took longer than 0.5 s" in done.stdout


BROKEN = """version: 1
name: broken
models:
  mini: {model: "rehearsal:mini", script: script.yaml}
  big: {model: "rehearsal:big", script: script.yaml}
nodes:
  a:
    goal: Say something
    checks:
      - expr: len(output) > 0
      - ref: user_checks:strict
"""


async def test_a_check_that_cannot_run_stops_its_node_at_once_and_says_where(tmp_path: Path) -> None:
    (tmp_path / "w.yaml").write_text(BROKEN)
    (tmp_path / "script.yaml").write_text("rehearsal: 1\nrules: [{text: hello}]\n")
    (tmp_path / "user_checks.py").write_text("def strict(output):\n    return output.nosuch\n")
    async with Engine(journal=tmp_path / "j.db") as engine:
        result = await engine.run(tmp_path / "w.yaml")
    (attempt,) = result.nodes["a"].attempts
    assert (attempt.failure, attempt.usage.calls) == ("broken", 1)
    assert f"{tmp_path / 'w.yaml'}:11:" in attempt.message
    assert attempt.message.endswith("(user_checks.py:2 in strict)")
    assert "user_checks.py" in attempt.trace
    assert "Traceback" in attempt.trace
    assert attempt.message in result.error


async def test_modules_that_code_cannot_do_without_are_missed_before_a_run(
    make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    workflow = make_workflow(
        "nodes:\n  a: {goal: Go, checks: [{code: 'import nosuchlib'}]}\n  b: {code: 'import nosuchlib.deep as n'}\n"
        "  c: {code: 'try:\\n  import nosuchlib\\nexcept ImportError:\\n  pass\\nresult = 1'}\n"
    )
    async with Engine(journal=tmp_path / "j.db") as engine:
        with pytest.raises(ConfigError) as refused:
            await engine.check(workflow)
    assert [problem.field for problem in refused.value.problems] == ["nodes.a.checks[0].code", "nodes.b.code"]
    assert all(problem.line for problem in refused.value.problems)


async def test_a_tool_that_raises_is_told_with_its_line_and_its_traceback_is_kept(tmp_path: Path) -> None:
    (tmp_path / "user_tool.py").write_text(
        "def _deep(x: int) -> int:\n    return 1 // x\n\n\n"
        'def divide() -> int:\n    """Divide."""\n    return _deep(0)\n'
    )
    (tmp_path / "w.yaml").write_text(
        "version: 1\nname: w\ntools: {d: {ref: 'user_tool:divide'}}\nnodes: {a: {tool: d}}\n"
    )
    async with Engine(journal=tmp_path / "j.db") as engine:
        result = await engine.run(tmp_path / "w.yaml")
    attempt = result.nodes["a"].attempts[-1]
    assert attempt.message.endswith("(user_tool.py:2 in _deep)")
    assert "in divide" in attempt.trace
    assert "trace" in str(result.as_json())


async def test_a_module_that_a_tools_module_wants_is_missed_at_the_line_that_wants_it(tmp_path: Path) -> None:
    (tmp_path / "user_wants.py").write_text('"""Tools."""\n\nimport nosuchlib\n')
    (tmp_path / "w.yaml").write_text("version: 1\nname: w\ntools: {d: {ref: 'user_wants:f'}}\nnodes: {a: {tool: d}}\n")
    async with Engine(journal=tmp_path / "j.db") as engine:
        with pytest.raises(ConfigError, match=r"w.yaml:3:\d+: tools.d.ref: .* 'nosuchlib', which 'user_wants'") as told:
            await engine.run(tmp_path / "w.yaml")
    assert "(user_wants.py:3 in <module>)" in str(told.value)


async def test_a_database_that_is_not_there_is_named_with_its_line(make_workflow: MakeWorkflow, tmp_path: Path) -> None:
    workflow = make_workflow("tools: {db: {sql: 'sqlite:///nowhere.db'}}\nnodes: {a: {tool: db.schema}}\n", models="")
    async with Engine(journal=tmp_path / "j.db") as engine:
        with pytest.raises(ConfigError, match=r"<text>:3:\d+: tools\.db"):
            await engine.run(workflow)
        assert (await engine.runs(1))[0].status == "failed"


async def test_what_a_program_passes_wrongly_is_named_as_it_was_passed(
    make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    def untyped(a) -> int:  # type: ignore[no-untyped-def]
        """Do."""
        return 1

    workflow = make_workflow("nodes: {a: {tool: untyped, with: {a: 1}}}\n", models="")
    async with Engine(journal=tmp_path / "j.db", tools={"untyped": untyped}) as engine:
        with pytest.raises(ConfigError) as refused:
            await engine.check(workflow)
        with pytest.raises(TypeError, match=r"Workflow\.from_dict"):
            await engine.run({"version": 1})  # type: ignore[arg-type]
    assert "tools.untyped: parameter 'a' has no type hint" in str(refused.value)
