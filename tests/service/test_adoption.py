"""What a server does about the runs of others: it takes up as many as it has room for, and nothing holds it up."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
from ports import free_port
from service_support import Gate, Serve, Site, serving, settled

from planloom.core.plan import RunId
from planloom.service.limits import Limits
from planloom.state.journal import Journal
from planloom.state.owners import Owners
from planloom.state.quotas import Quota, Quotas

STUCK = """
version: 1
name: stuck
tools: {hold: {ref: "hold:hold"}}
nodes: {a: {tool: hold}}
output: "${nodes.a.output}"
"""
HOLD = """
import asyncio, time
from pathlib import Path

HERE = Path(__file__).parent
(HERE / "importing").touch()
while "taken" in __name__ and (HERE / "hang").exists():
    time.sleep(0.02)


async def hold() -> str:
    (HERE / "holding").touch()
    while not (HERE / "open").exists():
        await asyncio.sleep(0.02)
    return "open"
"""


async def begun(site: Site, gate: Gate, *tenants: str) -> dict[str, list[RunId]]:
    """Start a run that waits at the gate for each of some tenants; return them by tenant."""
    started: dict[str, list[RunId]] = {}
    for number, tenant in enumerate(tenants, start=1):
        async with await site.client(tenant) as http:
            run_id = (await http.post("/runs", json={"workflow": "gated"})).json()["run_id"]
            started.setdefault(tenant, []).append(RunId(run_id))
        while gate.calls < number:
            await asyncio.sleep(0.01)
    return started


async def live(site: Site, runs: list[RunId]) -> int:
    return sum([await site.engine.journal.live(run_id) for run_id in runs])


async def test_a_server_takes_up_what_it_has_room_for_and_the_rest_when_there_is_some_again(
    serve: Serve, gate: Gate
) -> None:
    async with serve() as site:
        (runs,) = (await begun(site, gate, "acme", "acme", "acme")).values()
    async with serve(limits=Limits(max_runs=2)) as site, await site.client() as http:
        assert await live(site, runs) == 2
        assert (await http.post("/runs", json={"workflow": "sum", "inputs": {"a": 1}})).status_code == 503
        gate.open.set()
        while {(await http.get(f"/runs/{run_id}")).json()["status"] for run_id in runs} != {"done"}:
            await asyncio.sleep(0.05)
    assert gate.calls == 6


async def test_no_tenant_has_more_runs_taken_up_than_its_quota_allows(serve: Serve, gate: Gate) -> None:
    async with serve() as site:
        runs = await begun(site, gate, "acme", "acme", "acme", "rival")
    async with serve() as site:
        assert [await live(site, runs[tenant]) for tenant in ("acme", "rival")] == [3, 1]
        await Quotas(site.engine.journal).put("acme", Quota(max_runs=1))
    async with serve() as site, await site.client() as http:
        assert [await live(site, runs[tenant]) for tenant in ("acme", "rival")] == [1, 1]
        gate.open.set()
        while {(await http.get(f"/runs/{run_id}")).json()["status"] for run_id in runs["acme"]} != {"done"}:
            await asyncio.sleep(0.05)


async def test_a_run_whose_module_hangs_as_it_is_taken_up_delays_neither_a_cancel_nor_the_start_of_a_server(
    tmp_path: Path,
) -> None:
    (tmp_path / "hold.py").write_text(HOLD)
    (tmp_path / "slow.yaml").write_text(STUCK.replace("stuck", "slow"))
    (tmp_path / "stuck.yaml").write_text(STUCK.replace("hold:hold", "taken:hold"))
    (tmp_path / "taken.py").write_text(HOLD)
    ports = (free_port(), free_port())
    async with AsyncExitStack() as stack:
        here, there = [
            await stack.enter_async_context(httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/v1", timeout=20))
            for port in ports
        ]
        first = await stack.enter_async_context(serving(tmp_path, ports[0], "stuck.yaml"))
        second = await stack.enter_async_context(serving(tmp_path, ports[1]))
        stuck = await started(here, tmp_path, "stuck")
        slow = await started(there, tmp_path, "slow")
        (tmp_path / "hang").touch()
        (tmp_path / "importing").unlink()
        await first.kill()
        while not (tmp_path / "importing").exists():
            await asyncio.sleep(0.02)
        async with Journal(tmp_path / "j.db") as journal:  # as a server does that is asked to cancel it
            await Owners(journal).want(RunId(slow), wanted=False)
        assert (await settled(there, slow))["status"] == "cancelled"
        await second.kill()
        async with serving(tmp_path, ports[0], "stuck.yaml"):
            (tmp_path / "open").touch()
            (tmp_path / "hang").unlink()
            while (await here.get(f"/runs/{stuck}")).json()["status"] != "done":
                await asyncio.sleep(0.05)


async def started(http: httpx.AsyncClient, folder: Path, workflow: str) -> str:
    """Start a run and return its id once it holds."""
    run_id: str = (await http.post("/runs", json={"workflow": workflow})).json()["run_id"]
    while not (folder / "holding").exists():
        await asyncio.sleep(0.02)
    (folder / "holding").unlink()
    return run_id
