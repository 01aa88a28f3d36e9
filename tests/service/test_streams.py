"""Streams of events: many clients, clients that come and go, slow ones, and a server that ends."""

import asyncio
import json
import random

import httpx
import pytest
from service_support import Gate, Numbered, Serve, Site, events_of, raw_events, settled
from support import WAIT_S

from planloom.core.plan import RunId
from planloom.service.limits import Limits
from planloom.service.runtime import Runtime
from planloom.service.runtime import runtime_of as alive_of
from planloom.service.tail import Tail, as_sse
from planloom.state.owners import Owners

CLIENTS = 200


def runtime_of(site: Site) -> Runtime:
    found = alive_of(site.app, site.engine)
    assert found is not None
    return found


async def follow(url: str, key: str, run_id: str, seed: int) -> list[Numbered]:
    """Follow a run over connections that are dropped now and then, each at a place of its own."""
    draw, seen = random.Random(seed), list[Numbered]()
    while not seen or seen[-1][1]["type"] != "RunEnded":
        after = seen[-1][0] if seen else 0
        most = draw.randint(1, 40) if draw.random() < 0.7 else None
        seen += await raw_events(url, key, run_id, after, most)
    return seen


async def test_two_hundred_clients_that_come_and_go_see_each_event_once_and_in_order(serve: Serve, gate: Gate) -> None:
    generous = Limits(requests_per_minute=10**6, max_streams_of_tenant=10**4)
    async with serve(limits=generous) as site, await site.client() as http:
        run_id = (await http.post("/runs", json={"workflow": "many", "inputs": {"items": [*range(30)]}})).json()[
            "run_id"
        ]
        key = http.headers["authorization"]
        async with asyncio.TaskGroup() as group:
            clients = [group.create_task(follow(site.url, key, run_id, seed)) for seed in range(CLIENTS)]
            while runtime_of(site).streams.total() < CLIENTS // 4:
                await asyncio.sleep(0.01)
            assert runtime_of(site).tails.readers == 1
            gate.open.set()
        whole = await events_of(http, run_id)
        assert len(whole) > 100
        assert [number for number, _ in whole] == list(range(1, len(whole) + 1))
        assert all(client.result() == whole for client in clients)
        while runtime_of(site).streams.total():
            await asyncio.sleep(0.01)
        assert runtime_of(site).tails.readers == 0


async def test_a_client_that_reads_nothing_holds_no_memory_and_catches_up_from_the_journal(
    serve: Serve, gate: Gate
) -> None:
    gate.open.set()
    async with serve() as site, await site.client() as http:
        run_id = (await http.post("/runs", json={"workflow": "many", "inputs": {"items": [*range(60)]}})).json()[
            "run_id"
        ]
        whole = await events_of(http, run_id)
        tail = Tail(site.engine, Owners(site.engine.journal), RunId(run_id), ring_events=16)
        tail.take(await site.engine.journal.stored(RunId(run_id), 0, 10**6))
        assert (tail.tip, tail.floor) == (len(whole), len(whole) - 16)
        seen, position = b"", 0
        while pieces := await tail.after(position):
            seen += b"".join(piece.data for piece in pieces)
            position = pieces[-1].seq
        stored = await site.engine.journal.stored(RunId(run_id), 0, 10**6)
        assert seen == b"".join(as_sse(event).data for event in stored)


async def test_a_client_that_takes_nothing_is_left(serve: Serve, gate: Gate) -> None:
    gate.open.set()
    async with serve(limits=Limits(send_s=0.2, heartbeat_s=0.01)) as site, await site.client() as http:
        inputs = {"items": ["x" * 2000] * 300}
        run_id = (await http.post("/runs", json={"workflow": "many", "inputs": inputs})).json()["run_id"]
        await settled(http, run_id)
        host, _, port = site.url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
        key = http.headers["authorization"]
        writer.write(f"GET /v1/runs/{run_id}/events HTTP/1.1\r\nHost: x\r\nAuthorization: {key}\r\n\r\n".encode())
        await reader.readuntil(b"retry:")
        while runtime_of(site).streams.total():
            await asyncio.sleep(0.01)
        writer.close()


async def test_streams_are_bounded_beat_and_end_when_their_time_is_over(serve: Serve) -> None:
    async with serve(limits=Limits(max_streams_of_tenant=1, heartbeat_s=0.05)) as site, await site.client() as http:
        run_id = (await http.post("/runs", json={"workflow": "gated"})).json()["run_id"]
        lines: list[str] = []
        async with http.stream("GET", f"/runs/{run_id}/events") as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            async for line in response.aiter_lines():
                if not lines:
                    refused = await http.get(f"/runs/{run_id}/events")
                    assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")
                lines.append(line)
                if line == ": still here":
                    break
        numbers = [int(line.removeprefix("id: ")) for line in lines if line.startswith("id: ")]
        assert numbers == list(range(1, len(numbers) + 1))
        beyond = await http.get(f"/runs/{run_id}/events", headers={"Last-Event-ID": "9999"})
        assert beyond.status_code == 409
    async with serve(limits=Limits(heartbeat_s=0.05, stream_s=0.05)) as site, await site.client() as http:
        ended = await events_of(http, run_id)
        assert [number for number, _ in ended] == list(range(1, len(ended) + 1))
        assert (await http.get(f"/runs/{run_id}")).json()["status"] == "running"


async def test_draining_ends_streams_and_takes_no_runs(serve: Serve, gate: Gate) -> None:
    async with serve() as site, await site.client() as http:
        run_id = (await http.post("/runs", json={"workflow": "gated"})).json()["run_id"]
        async with asyncio.TaskGroup() as group:
            seen = list[Numbered]()
            following = group.create_task(events_of(http, run_id, into=seen))
            while not gate.calls or not seen:
                await asyncio.sleep(0.01)
            runtime_of(site).drain()
        assert following.result()[-1][1]["type"] != "RunEnded"
        refused = await http.post("/runs", json={"workflow": "sum", "inputs": {"a": 1}})
        assert (refused.status_code, refused.json()["type"]) == (503, "urn:planloom:problem:unavailable")
        assert (await http.get(f"{site.url}/healthz")).status_code == 503
        assert (await http.get(f"/runs/{run_id}")).json()["status"] == "running"
    async with serve() as site, await site.client() as http:  # what was stopped with its process is taken up again
        gate.open.set()
        events = await events_of(http, run_id)
        statuses = [event["status"] for _, event in events if event["type"] == "RunEnded"]
        assert statuses == ["cancelled", "done"]


async def test_a_run_at_work_in_another_process_is_followed_as_well(serve: Serve, gate: Gate) -> None:
    async with serve() as site, serve() as beside, await site.client() as http:
        key = {"Authorization": http.headers["authorization"]}
        run_id = (await http.post("/runs", json={"workflow": "gated"})).json()["run_id"]
        async with (
            httpx.AsyncClient(base_url=f"{beside.url}/v1", headers=key, timeout=WAIT_S) as other,
            asyncio.TaskGroup() as group,
        ):
            following = group.create_task(events_of(other, run_id))
            while not gate.calls or not runtime_of(beside).streams.total():
                await asyncio.sleep(0.01)
            gate.open.set()
        assert following.result() == await events_of(http, run_id)
        assert following.result()[-1][1]["status"] == "done"


@pytest.mark.parametrize("path", ["/v1/nothing", "/nothing"])
async def test_what_no_route_takes_is_a_problem_too(serve: Serve, path: str) -> None:
    async with serve() as site, httpx.AsyncClient(base_url=site.url, timeout=WAIT_S) as http:
        missing = await http.get(path)
        assert (missing.status_code, missing.json()["type"]) == (404, "urn:planloom:problem:not-found")
        wrong = await http.put("/v1/runs")
        assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET, POST")
        assert wrong.headers["content-type"] == "application/problem+json"


async def test_wrong_requests_are_problems_that_name_the_place(serve: Serve) -> None:
    async with serve(limits=Limits(body_bytes=2000)) as site, await site.client() as http:
        cases: list[tuple[dict[str, object], int, str]] = [
            ({"json": {"workflow": "sum", "inputs": {}}}, 422, "/inputs/a"),
            ({"json": {"workflow": "sum", "inputs": {"a": "x"}}}, 422, "/inputs/a"),
            ({"json": {"inputs": {}}}, 422, "/workflow"),
            ({"json": {"workflow": "none"}}, 404, ""),
            ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 422, "/1"),
            ({"content": b"\xff", "headers": {"Content-Type": "application/json"}}, 400, ""),
            ({"json": {"workflow": "sum", "inputs": {"a": "x" * 3000}}}, 413, ""),
            ({"json": {"workflow": "sum"}, "headers": {"Idempotency-Key": "a b"}}, 422, "idempotency-key"),
        ]
        for request, status, pointer in cases:
            reply = await http.post("/runs", **request)  # type: ignore[arg-type]
            problem = json.loads(reply.text)
            assert (reply.status_code, reply.headers["content-type"]) == (status, "application/problem+json"), problem
            assert problem["status"] == status
            assert [fault["pointer"] for fault in problem.get("errors", [])] == ([pointer] if pointer else [])


async def test_artifacts_are_read_whole_and_in_slices(serve: Serve) -> None:
    from planloom.state.artifacts import Artifacts

    async with serve() as site, await site.client() as http:
        run_id = (await http.post("/runs", json={"workflow": "sum", "inputs": {"a": 1}})).json()["run_id"]
        text = "0123456789" * 300_000
        digest = (await Artifacts(site.engine.journal, RunId(run_id)).keep(text)).digest
        address = f"/runs/{run_id}/artifacts/{digest}"
        whole = await http.get(address)
        assert (whole.status_code, whole.text) == (200, text)
        cases = {
            "bytes=0-9": ("0123456789", "bytes 0-9/3000000"),
            "bytes=2999995-": ("56789", "bytes 2999995-2999999/3000000"),
            "bytes=-3": ("789", "bytes 2999997-2999999/3000000"),
            "bytes=262140-262149": ("0123456789", "bytes 262140-262149/3000000"),
            "bytes=2999999-9999999": ("9", "bytes 2999999-2999999/3000000"),
        }
        for asked, (found, said) in cases.items():
            reply = await http.get(address, headers={"Range": asked})
            assert (reply.status_code, reply.text, reply.headers["content-range"]) == (206, found, said)
        beyond = await http.get(address, headers={"Range": "bytes=3000000-"})
        assert (beyond.status_code, beyond.headers["content-range"]) == (416, "bytes */3000000")
