"""MCP's official client against workflows as tools: over HTTP at the running service, and over standard input."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult, TextContent
from service_support import CAREFUL, SUM, Gate, Serve, Site, settled
from support import WAIT_S

from planloom import Engine

SLOW = """
version: 1
name: slow
tools: {nap: {ref: "nap:nap"}}
nodes: {one: {code: "1"}, wait: {tool: nap, needs: [one]}}
output: "${nodes.wait.output}"
"""
NAP = """
import asyncio
import pathlib


async def nap() -> int:
    pathlib.Path(__file__).with_name("began").touch()
    await asyncio.sleep(3600)
    return 1
"""
ERAS = pytest.mark.parametrize("mode", ["auto", "legacy"])


@asynccontextmanager
async def client_at(site: Site, mode: str = "auto", **who: str) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {await site.key(**who)}"}  # type: ignore[arg-type]
    async with (
        httpx2.AsyncClient(headers=headers, timeout=WAIT_S) as http,
        Client(streamable_http_client(f"{site.url}/mcp", http_client=http), mode=mode) as client,
    ):
        yield client


@asynccontextmanager
async def program(folder: Path, mode: str = "auto") -> AsyncIterator[Client]:
    args = ["-P", "-m", "planloom", "mcp", str(folder / "flows"), "--journal", str(folder / "runs.db")]
    started = StdioServerParameters(command=sys.executable, args=args, cwd=folder, env={**os.environ})
    async with Client(stdio_client(started), mode=mode) as client:
        yield client


def said(result: CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


@ERAS
async def test_a_workflow_is_a_tool_over_http(serve: Serve, mode: str) -> None:
    told: list[tuple[float, str | None]] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        told.append((done, message))

    async with serve() as site, client_at(site, mode) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert tools["sum"].description == "Adds two numbers."
        assert tools["sum"].input_schema["required"] == ["a"]
        result = await client.call_tool("sum", {"a": 2}, progress_callback=progress)
        assert (said(result), result.is_error) == ("3", False)
        run_id = result.structured_content["run_id"]
        assert result.structured_content == {
            "run_id": run_id,
            "status": "done",
            "output": 3,
            "untrusted": [],
            "pending": [],
        }
        assert [done for done, _ in told] == [*range(1, len(told) + 1)]
        assert told[-1][1] == "total: done"
        async with await site.client() as http:
            assert (await http.get(f"/runs/{run_id}")).json()["status"] == "done"


async def test_wrong_inputs_and_unknown_tools_are_told(serve: Serve) -> None:
    async with serve() as site, client_at(site) as client:
        wrong = await client.call_tool("sum", {"a": "two"})
        assert wrong.is_error
        assert said(wrong) == 'inputs.a: expected JSON type integer, found "two" (text)'  # not in which file
        assert said(await client.call_tool("run_start", {"workflow": 1})) == "workflow: Input should be a valid string"
        with pytest.raises(MCPError):
            await client.call_tool("nobody", {})


async def test_a_run_that_waits_says_so(serve: Serve) -> None:
    async with serve() as site, client_at(site) as client:
        result = await client.call_tool("careful", {})
        assert "waits for a person" in said(result)
        assert result.structured_content["status"] == "waiting"
        assert result.structured_content["pending"][0]["node"] == "send"


@ERAS
async def test_what_was_started_or_waited_is_fetched_later(serve: Serve, gate: Gate, mode: str) -> None:
    async with (
        serve() as site,
        client_at(site, mode) as client,
        client_at(site, mode, tenant="other") as rival,
        await site.client() as http,
    ):
        held = (await client.call_tool("careful", {})).structured_content
        wanted = {"run_id": held["run_id"]}
        for name in ("run_resume", "run_status"):
            assert said(await rival.call_tool(name, wanted)) == "There is no such run."
            assert (await client.call_tool(name, wanted)).structured_content == held
        yes = {"node": "send", "bound_to": held["pending"][0]["bound_to"], "approved": True}
        await http.post(f"/runs/{held['run_id']}/approve", json={"answers": [yes]})
        await settled(http, held["run_id"])
        assert said(await client.call_tool("run_status", wanted)) == "Dear all, it is done."
        begun = (await client.call_tool("run_start", {"workflow": "gated"})).structured_content
        looked = {"run_id": begun["run_id"]}
        assert (await client.call_tool("run_status", looked)).structured_content["status"] == "running"
        gate.open.set()
        await settled(http, begun["run_id"])
        assert said(await client.call_tool("run_status", looked)) == "42"
        assert (await client.call_tool("run_status", {})).is_error


async def test_a_call_that_took_too_long_is_gone_on_with(serve: Serve, gate: Gate) -> None:
    async with serve() as site, client_at(site) as client, await site.client() as http:
        async with asyncio.TaskGroup() as group:
            calling = group.create_task(client.call_tool("gated", {}))
            while not gate.calls:
                await asyncio.sleep(0.01)
            calling.cancel()
        (line,) = (await http.get("/runs")).json()["runs"]
        await settled(http, line["run_id"])
        gate.open.set()
        assert said(await client.call_tool("run_resume", {"run_id": line["run_id"]})) == "42"


@ERAS
async def test_a_cancelled_call_cancels_its_run(serve: Serve, gate: Gate, mode: str) -> None:
    async with serve() as site, client_at(site, mode) as client, await site.client() as http:
        async with asyncio.TaskGroup() as group:
            calling = group.create_task(client.call_tool("gated", {}))
            while not gate.calls:
                await asyncio.sleep(0.01)
            calling.cancel()
        (line,) = (await http.get("/runs")).json()["runs"]
        assert (await settled(http, line["run_id"]))["status"] == "cancelled"


async def test_only_callers_of_the_service_are_let_in_and_sessions_are_their_own(serve: Serve) -> None:
    async with serve() as site, httpx2.AsyncClient(timeout=WAIT_S) as http:
        hello = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "initialize",
            "params": {
                "protocolVersion": "2025-06-18",
                "capabilities": {},
                "clientInfo": {"name": "test", "version": "1"},
            },
        }
        wants = {"Accept": "application/json, text/event-stream"}
        refused = await http.post(f"{site.url}/mcp", json=hello, headers=wants)
        assert (refused.status_code, refused.json()["type"]) == (401, "urn:planloom:problem:unauthorized")
        ours = wants | {"Authorization": f"Bearer {await site.key('acme')}"}
        session = {
            "Mcp-Session-Id": (await http.post(f"{site.url}/mcp", json=hello, headers=ours)).headers["mcp-session-id"]
        }
        theirs = wants | {"Authorization": f"Bearer {await site.key('other')}"}
        ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
        assert (await http.post(f"{site.url}/mcp", json=ping, headers=ours | session)).status_code == 200
        assert (await http.post(f"{site.url}/mcp", json=ping, headers=theirs | session)).status_code == 404
        assert (await http.get(f"{site.url}/mcp", headers=ours | session)).status_code == 405
        async with client_at(site, role="viewer") as reader:
            result = await reader.call_tool("sum", {"a": 1})
            assert (result.is_error, said(result)) == (True, "The role viewer does not allow to run.")


@ERAS
async def test_the_command_offers_workflows_on_standard_input(tmp_path: Path, mode: str) -> None:
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows/sum.yaml").write_text(SUM)
    (tmp_path / "flows/careful.yaml").write_text(CAREFUL)
    async with program(tmp_path, mode) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        assert names == ["careful", "sum", "run_start", "run_status", "run_resume"]
        assert said(await client.call_tool("sum", {"a": 40, "b": 2})) == "42"
        held = await client.call_tool("careful", {})
        run_id, (waits,) = held.structured_content["run_id"], held.structured_content["pending"]
        assert f"planloom approve {run_id}" in said(held)
        async with Engine(journal=tmp_path / "runs.db") as engine:
            await engine.resume(run_id, {waits["node"]: True})
        assert said(await client.call_tool("run_status", {"run_id": run_id})) == "Dear all, it is done."


async def test_a_cancelled_call_over_standard_input_cancels_its_run(tmp_path: Path) -> None:
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows/slow.yaml").write_text(SLOW)
    (tmp_path / "flows/nap.py").write_text(NAP)
    async with program(tmp_path) as client:
        async with asyncio.TaskGroup() as group:
            calling = group.create_task(client.call_tool("slow", {}))
            while not (tmp_path / "flows/began").exists():
                assert not calling.done(), calling.result()
                await asyncio.sleep(0.02)
            calling.cancel()
        async with Engine(journal=tmp_path / "runs.db") as engine:
            while (await engine.runs())[0].status != "cancelled":
                await asyncio.sleep(0.05)
