"""The numbers of a server, read over HTTP as Prometheus reads them."""

import asyncio
import re
from pathlib import Path

import httpx
from ports import on_port
from prometheus_client.parser import text_string_to_metric_families
from service_support import SUM, settled
from support import WAIT_S

from planloom import Engine, Workflow
from planloom.service.app import make_app
from planloom.service.caller import api_keys
from planloom.service.metrics import Metrics
from planloom.state.keys import Keys


async def test_the_operator_reads_the_numbers_and_a_tenants_admin_does_not(tmp_path: Path) -> None:
    metrics = Metrics()
    engine = Engine(journal=tmp_path / "runs.db", observers=[metrics])
    app = make_app(engine, [Workflow.from_text(SUM)], auth=api_keys, drain_s=0.2, metrics=metrics)
    async with on_port(app) as url, httpx.AsyncClient(base_url=url, timeout=WAIT_S) as http:
        keys = Keys(engine.journal)
        ours, acme, viewer = [
            {"Authorization": f"Bearer {await keys.create(tenant, role)}"}
            for tenant, role in (("local", "admin"), ("acme", "admin"), ("local", "viewer"))
        ]
        async with httpx.AsyncClient(base_url=f"{url}/v1", headers=acme, timeout=WAIT_S) as tenant:
            started = await tenant.post("/runs", json={"workflow": "sum", "inputs": {"a": 1}})
            run_id = started.json()["run_id"]
            await settled(tenant, run_id)
        refused = [(await http.get("/metrics", headers=headers)).status_code for headers in (acme, viewer, {})]
        told = (await http.get("/metrics", headers=ours)).text
    assert refused == [403, 403, 401]
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(told)
        for sample in family.samples
    }
    assert found["planloom_runs_total", "done"] == 1
    assert found["planloom_nodes_total", "done"] == 1
    assert found["planloom_attempts_total", ""] == 1
    for name in ("run", "run_queue", "node_queue", "attempt"):
        assert found[f"planloom_{name}_seconds_count",] == 1
    assert found["planloom_run_queue_seconds_sum",] > 0
    assert [word for word in ("acme", run_id, 'total"') if word in told.replace("_total", "")] == []


async def test_an_attempt_that_waits_for_a_place_is_told_as_queue_time() -> None:
    inside, opened = asyncio.Event(), asyncio.Event()

    async def gate() -> int:
        inside.set()
        await opened.wait()
        return 1

    flow = "version: 1\nname: two\nmax_parallel: 1\nnodes: {a: {tool: gate}, b: {tool: gate}}"
    metrics = Metrics()
    async with Engine(journal=":memory:", tools={"gate": gate}, observers=[metrics]) as engine:
        handle = await engine.submit(Workflow.from_text(flow))
        await inside.wait()
        until = asyncio.get_running_loop().time() + 0.15
        while asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.01)
        opened.set()
        await handle.result()
    told = metrics.text().decode()
    (queued,) = re.findall(r"^planloom_node_queue_seconds_sum (\S+)$", told, re.MULTILINE)
    assert float(queued) >= 0.15
    assert "planloom_node_queue_seconds_count 2.0" in told
    assert "planloom_tool_seconds_count 2.0" in told
