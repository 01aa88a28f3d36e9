"""A server that is killed in the middle of runs, and one that is told to end: real processes, real signals."""

import asyncio
import json
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
from ports import free_port
from service_support import Numbered, events_of, serving, settled
from support import WAIT_S

GATES = '''
import asyncio
from pathlib import Path

HERE = Path(__file__).parent


def mark(name: str) -> str:
    """Leave a mark."""
    with (HERE / "marks").open("a") as file:
        file.write(name + "\\n")
    return name


async def wait() -> str:
    """Wait for a person to make a file."""
    mark("wait")
    while not (HERE / "open").exists():
        await asyncio.sleep(0.02)
    return "open"
'''
SLOW = """
version: 1
name: slow
tools:
  mark: {ref: "gates:mark"}
  wait: {ref: "gates:wait"}
nodes:
  a: {tool: mark, with: {name: a}}
  b: {tool: mark, with: {name: b}, needs: [a]}
  gate: {tool: wait, needs: [b]}
  c: {tool: mark, with: {name: c}, needs: [gate]}
output: "${nodes.c.output}"
"""


def marks(folder: Path) -> list[str]:
    file = folder / "marks"
    return file.read_text().split() if file.exists() else []


async def follow_to_the_cut(http: httpx.AsyncClient, run_id: str, seen: list[Numbered]) -> None:
    """Follow as a browser does: what came before the connection broke is kept."""
    after = seen[-1][0] if seen else 0
    try:
        async with http.stream("GET", f"/runs/{run_id}/events", headers={"Last-Event-ID": str(after)}) as response:
            number = 0
            async for line in response.aiter_lines():
                name, _, value = line.partition(": ")
                number = int(value) if name == "id" else number
                if name == "data":
                    seen.append((number, httpx.Response(200, text=value).json()))
    except httpx.TransportError:
        pass


async def cut_off_and_go_on(folder: Path, stop: signal.Signals) -> list[Numbered]:
    """Stop the server with a signal while a run is in its middle, start it again, and return what a client saw."""
    (folder / "gates.py").write_text(GATES)
    (folder / "slow.yaml").write_text(SLOW)
    port, seen = free_port(), list[Numbered]()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/v1", timeout=WAIT_S) as http:
        async with serving(folder, port) as server, asyncio.TaskGroup() as group:
            run_id = (await http.post("/runs", json={"workflow": "slow"})).json()["run_id"]
            group.create_task(follow_to_the_cut(http, run_id, seen))
            while "wait" not in marks(folder) or not any(event.get("node_id") == "gate" for _, event in seen):
                await asyncio.sleep(0.02)
            await server.stop(stop)
        before = len(seen)
        async with serving(folder, port):
            (folder / "open").touch()
            await follow_to_the_cut(http, run_id, seen)
            record = await settled(http, run_id)
            assert (record["status"], record["output"]) == ("done", "c")
            assert await events_of(http, run_id) == seen
        assert before < len(seen)
    return seen


async def test_runs_go_on_after_a_kill_and_a_client_sees_each_event_once(tmp_path: Path) -> None:
    seen = await cut_off_and_go_on(tmp_path, signal.SIGKILL)
    assert [number for number, _ in seen] == list(range(1, len(seen) + 1))
    assert [event["type"] for _, event in seen].count("RunResumed") == 1
    assert sorted(marks(tmp_path)) == ["a", "b", "c", "wait", "wait"]  # only what was in the middle ran again


async def test_a_server_that_is_told_to_end_ends_streams_and_its_runs_go_on_in_the_next(tmp_path: Path) -> None:
    seen = await cut_off_and_go_on(tmp_path, signal.SIGTERM)
    assert [number for number, _ in seen] == list(range(1, len(seen) + 1))
    assert sorted(marks(tmp_path)) == ["a", "b", "c", "wait", "wait"]


async def test_a_server_stops_what_is_cancelled_through_another_and_takes_up_what_a_killed_one_leaves(
    tmp_path: Path,
) -> None:
    (tmp_path / "gates.py").write_text(GATES)
    (tmp_path / "slow.yaml").write_text(SLOW)
    ports = (free_port(), free_port())
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(serving(tmp_path, ports[0]))
        second = await stack.enter_async_context(serving(tmp_path, ports[1], "--log-format", "json"))
        here, there = [
            await stack.enter_async_context(httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/v1", timeout=WAIT_S))
            for port in ports
        ]
        run_ids = [(await here.post("/runs", json={"workflow": "slow"})).json()["run_id"] for _ in range(2)]
        while marks(tmp_path).count("wait") < 2:
            await asyncio.sleep(0.02)
        assert (await there.post(f"/runs/{run_ids[0]}/cancel")).status_code == 202
        assert (await settled(there, run_ids[0]))["status"] == "cancelled"
        await first.kill()
        (tmp_path / "open").touch()
        while (await there.get(f"/runs/{run_ids[1]}")).json()["status"] != "done":
            await asyncio.sleep(0.2)
        assert (await there.get(f"/runs/{run_ids[0]}")).json()["status"] == "cancelled"
    assert sorted(marks(tmp_path)) == ["a", "a", "b", "b", "c", "wait", "wait", "wait"]
    lines = [json.loads(line) for line in second.err.splitlines()]
    assert {line["run"] for line in lines if line["event"] == "run-resumed"} == {run_ids[1]}
    assert any(line["logger"] == "uvicorn.access" and "/cancel" in line["event"] for line in lines)
