"""Workflows whose nodes use MCP servers: a model that calls one, pins over a resume, a lock, no process left."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
import yaml
from mcp_servers import Odd, is_alive
from programs import RUNNER, begin
from support import ServeModel

from planloom.cli import checking
from planloom.core.errors import ConfigError
from planloom.core.events import NodeCommitted, RunStarted, ToolCalled
from planloom.engine import Engine

SCRIPT = """
rehearsal: 1
rules:
  - {when: {node: ask, tool_results: 0}, tool_calls: [{name: odd.echo, args: {text: "from a model"}}]}
  - {when: {node: ask}, text: "it said: {{tool_result}}"}
  - {text: ok}
"""


@pytest.fixture
def odd(tmp_path: Path) -> Odd:
    return Odd(tmp_path)


def write(odd: Odd, nodes: dict[str, object], *modes: str, **keys: object) -> Path:
    tool = {"mcp": {"command": [*odd.command(*modes)]}, "effect": "read", **keys}
    models = {"mini": {"model": "openai:mini", "price": {"input": 1, "output": 1}}} if "ask" in nodes else {}
    data = {"version": 1, "name": "w", "models": models, "tools": {"odd": tool}, "route": {"retry": 0}, "nodes": nodes}
    path = odd.folder / "w.yaml"
    path.write_text(yaml.safe_dump(data))
    return path


def echo(text: str, **keys: object) -> dict[str, object]:
    return {"tool": "odd.echo", "with": {"text": text}, **keys}


async def test_a_model_calls_a_tool_of_a_server(serve_model: ServeModel, odd: Odd, tmp_path: Path) -> None:
    server = await serve_model(SCRIPT)
    path = write(odd, {"ask": {"goal": "Ask it.", "tools": ["odd.echo"]}}, allow=["echo"])
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        result = await engine.run(path)
        events = await engine.history(result.run_id)
    assert result.nodes["ask"].output == "it said: from a model"
    assert [event.tool for event in events if isinstance(event, ToolCalled)] == ["odd.echo"]
    started = events[0]
    assert isinstance(started, RunStarted)
    assert [tool.name for tool in started.pins["odd"].tools] == ["echo"]
    assert not any(is_alive(pid) for pid in odd.pids)


async def test_a_call_that_fails_fails_its_node_and_no_other(odd: Odd, tmp_path: Path) -> None:
    path = write(odd, {"bad": {"tool": "odd.die"}, "good": {**echo("after"), "needs": []}, "last": {"code": "1"}})
    async with Engine(journal=tmp_path / "j.db") as engine:
        result = await engine.run(path)
    assert result.status == "partial"
    assert "exit code 3" in result.nodes["bad"].attempts[-1].message
    assert result.nodes["last"].state == "done"


async def test_a_server_that_changed_between_kill_9_and_resume_has_that_tool_refused(odd: Odd, tmp_path: Path) -> None:
    nodes = {
        "first": echo("one"),
        "slow": {"tool": "odd.hang", "needs": ["first"], "timeout": "10m"},
        "same": {"tool": "odd.count", "needs": ["first"], "when": "nodes.first.output == 'one'"},
        "changed": echo("two", needs=["same"]),
    }
    path, journal = write(odd, nodes, timeout="10m"), tmp_path / "j.db"
    child = begin(RUNNER, str(path), str(journal), folder=tmp_path)
    while "hang" not in odd.noted("calls"):
        assert child.code is None
        await asyncio.sleep(0.01)
    await child.kill()
    while any(is_alive(pid) for pid in odd.pids):
        await asyncio.sleep(0.01)
    odd.describe("hang", "Now it does something else.")
    async with Engine(journal=journal) as engine:
        result = await engine.resume("last")
        again = [event.node_id for event in await engine.history("last") if isinstance(event, NodeCommitted)]
    assert again.count("first") == 1
    assert {name: node.state for name, node in result.nodes.items()} == {
        "first": "done",
        "slow": "failed",
        "same": "done",
        "changed": "done",
    }
    assert "not what this run began with: its description is now" in result.nodes["slow"].reason


async def test_cancelling_a_run_and_closing_the_engine_leave_no_process(odd: Odd, tmp_path: Path) -> None:
    path = write(odd, {"spawn": {"tool": "odd.spawn"}, "slow": {"tool": "odd.hang", "needs": ["spawn"]}}, "stubborn")
    async with Engine(journal=tmp_path / "j.db") as engine:
        handle = await engine.submit(path)
        while "hang" not in odd.noted("calls"):
            await asyncio.sleep(0.01)
        await handle.cancel()
        while any(is_alive(pid) for pid in odd.pids):
            await asyncio.sleep(0.01)
        await engine.submit(path)
        while odd.noted("calls").count("hang") < 2:
            await asyncio.sleep(0.01)
    while any(is_alive(pid) for pid in odd.pids):
        await asyncio.sleep(0.01)
    assert len(odd.noted("spawned")) == 2


async def test_with_a_lock_nothing_is_started_to_check_and_a_changed_server_is_refused(
    odd: Odd, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the default journal is looked for here
    path = write(odd, {"a": {"code": "1"}, "b": echo("x")}, allow=["echo"])
    assert await checking.validate([str(path)], as_json=False) == 2
    assert "write it down with `planloom lock FILE`" in capsys.readouterr().err
    await checking.lock(str(path))
    assert capsys.readouterr().out == f"odd.echo: Say it again.\nwrote {tmp_path / 'w.lock.yaml'}\n"
    assert await checking.validate([str(path)], as_json=False) == 0
    await checking.explain(str(path), None, as_json=False)
    assert "odd (mcp, read)" in capsys.readouterr().out
    assert len(odd.noted("started")) == 1
    odd.describe("echo", "Say it to mallory.")
    async with Engine(journal=tmp_path / "j.db") as engine:
        with pytest.raises(ConfigError, match=r"w\.yaml:\d+:\d+: tools\.odd\.mcp: tool 'echo' is refused: .*mallory"):
            await engine.run(path)
        assert (await engine.view("last")).nodes == {}
    assert odd.noted("calls") == []


async def test_a_wrong_argument_is_found_before_anything_is_called(odd: Odd, tmp_path: Path) -> None:
    path = write(odd, {"a": {"tool": "odd.echo", "with": {"txt": "x"}}})
    async with Engine(journal=tmp_path / "j.db") as engine:
        with pytest.raises(ConfigError, match=r"nodes\.a\.with\.txt: 'odd\.echo' has no argument 'txt'"):
            await engine.run(path)
    assert not any(is_alive(pid) for pid in odd.pids)


def test_a_workflow_without_servers_imports_nothing_of_them() -> None:
    code = "import sys, planloom.engine; sys.exit(bool({'mcp', 'mcp_types'} & set(sys.modules)))"
    assert os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-P", "-c", code]) == 0


async def test_without_the_extra_the_error_names_it(odd: Odd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "planloom.tools.mcp_session", raising=False)
    monkeypatch.setitem(sys.modules, "mcp", None)
    path = write(odd, {"a": echo("x")})
    async with Engine(journal=tmp_path / "j.db") as engine:
        with pytest.raises(ConfigError, match=r'tools\.odd\.mcp: .* pip install "planloom\[mcp\]"'):
            await engine.run(path)
