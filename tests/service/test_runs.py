"""Runs over real HTTP: start, look, list, follow, cancel, resume, answer."""

import asyncio
import time

from fastapi import Request
from service_support import GATED, Gate, Serve, events_of, settled

from planloom import Engine
from planloom.core.plan import RunId
from planloom.service.answering import answer
from planloom.service.caller import Caller, api_keys
from planloom.service.limits import Limits
from planloom.service.shapes import AnswerShape
from planloom.service.visit import Service, Visit
from planloom.state.inbox import Inbox
from planloom.state.owners import Owners
from planloom.state.quotas import Quota


async def test_a_run_is_started_followed_and_shown(serve: Serve) -> None:
    async with serve() as site, await site.client() as http:
        started = await http.post("/runs", json={"workflow": "sum", "inputs": {"a": 2}})
        assert started.status_code == 202
        run_id = started.json()["run_id"]
        assert started.headers["location"] == f"/v1/runs/{run_id}"
        events = await events_of(http, run_id)
        assert [number for number, _ in events] == list(range(1, len(events) + 1))
        assert (events[0][1]["type"], events[-1][1]["type"]) == ("RunStarted", "RunEnded")
        assert await events_of(http, run_id, after=3) == events[3:]
        assert await events_of(http, run_id, after=len(events)) == []  # 204: a browser does not ask again
        record = (await http.get(f"/runs/{run_id}")).json()
        assert (record["status"], record["output"]) == ("done", 3)
        assert record["last_event_id"] == events[-1][0]
        assert record["plans"][0]["nodes"][0]["id"] == "total"
        assert record["nodes"]["total"]["attempts"][0]["ok"]


async def test_the_same_idempotency_key_starts_one_run(serve: Serve) -> None:
    async with serve() as site, await site.client() as http, await site.client("other") as other:
        body = {"workflow": "sum", "inputs": {"a": 2}}
        key = {"Idempotency-Key": "k-1"}
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(http.post("/runs", json=body, headers=key)) for _ in range(8)]
        answers = [task.result() for task in asked]
        assert {answer.status_code for answer in answers} <= {202, 200, 409}
        assert len({answer.json()["run_id"] for answer in answers if answer.status_code != 409}) == 1
        again = await http.post("/runs", json=body, headers=key)
        assert (again.status_code, again.headers["idempotency-replayed"]) == (200, "true")
        changed = await http.post("/runs", json={**body, "inputs": {"a": 3}}, headers=key)
        assert (changed.status_code, changed.json()["type"]) == (422, "urn:planloom:problem:idempotency-key-reused")
        elsewhere = await other.post("/runs", json=body, headers=key)
        assert elsewhere.status_code == 202
        assert elsewhere.json()["run_id"] != again.json()["run_id"]
        assert len((await http.get("/runs")).json()["runs"]) == 1


async def test_runs_are_listed_in_pages_and_by_state_and_workflow(serve: Serve) -> None:
    async with serve() as site, await site.client() as http:
        for number in range(5):
            started = await http.post("/runs", json={"workflow": "sum", "inputs": {"a": number}})
            await settled(http, started.json()["run_id"])
        held = (await http.post("/runs", json={"workflow": "careful"})).json()["run_id"]
        await settled(http, held)
        seen: list[str] = []
        cursor, pages = "", 0
        while cursor is not None:
            page = (await http.get("/runs", params={"limit": 2, "cursor": cursor})).json()
            seen += [run["run_id"] for run in page["runs"]]
            cursor, pages = page["next_cursor"], pages + 1
        assert (len(seen), len(set(seen)), seen[0]) == (6, 6, held)
        assert pages in (3, 4)
        waiting = (await http.get("/runs", params={"status": "waiting"})).json()
        assert [run["run_id"] for run in waiting["runs"]] == [held]
        sums = (await http.get("/runs", params={"workflow": "sum", "status": "done"})).json()
        assert len(sums["runs"]) == 5
        assert (await http.get("/runs", params={"cursor": "x"})).status_code == 422


async def test_what_waits_is_answered_only_as_it_was_shown(serve: Serve) -> None:
    async with serve() as site, await site.client() as http:
        run_id = (await http.post("/runs", json={"workflow": "careful"})).json()["run_id"]
        pending = (await settled(http, run_id))["pending"][0]
        answer = {"node": "send", "bound_to": pending["bound_to"], "approved": True}
        stale = await http.post(f"/runs/{run_id}/approve", json={"answers": [{**answer, "bound_to": "0" * 16}]})
        assert (stale.status_code, stale.json()["errors"][0]["pointer"]) == (409, "/answers/0")
        assert (await http.post(f"/runs/{run_id}/approve", json={"answers": [answer]})).status_code == 202
        record = await settled(http, run_id)
        assert (record["status"], record["output"]) == ("done", "Dear all, it is done.")
        assert (await http.post(f"/runs/{run_id}/approve", json={"answers": [answer]})).status_code == 409
        assert (await http.post(f"/runs/{run_id}/resume")).status_code == 409
        types = [event["type"] for _, event in await events_of(http, run_id)]
        assert types.count("ApprovalGiven") == 1


async def test_a_stream_stays_open_while_the_run_waits(serve: Serve) -> None:
    async with serve(limits=Limits(heartbeat_s=0.05)) as site, await site.client() as http:
        run_id = (await http.post("/runs", json={"workflow": "careful"})).json()["run_id"]
        async with asyncio.TaskGroup() as group:
            following = group.create_task(events_of(http, run_id))
            pending = (await settled(http, run_id))["pending"][0]
            answer = {"node": "send", "bound_to": pending["bound_to"], "approved": True}
            await http.post(f"/runs/{run_id}/approve", json={"answers": [answer]})
        events = following.result()
        assert [number for number, _ in events] == list(range(1, len(events) + 1))
        ends = [event["status"] for _, event in events if event["type"] == "RunEnded"]
        assert ends == ["waiting", "done"]


async def test_a_run_is_cancelled_and_resumed(serve: Serve, gate: Gate) -> None:
    async with serve() as site, await site.client() as http:
        run_id = (await http.post("/runs", json={"workflow": "gated"})).json()["run_id"]
        while not gate.calls:
            await asyncio.sleep(0.01)
        assert (await http.post(f"/runs/{run_id}/resume")).status_code == 409
        assert (await http.post(f"/runs/{run_id}/cancel")).status_code == 202
        assert (await settled(http, run_id))["status"] == "cancelled"
        assert (await http.post(f"/runs/{run_id}/cancel")).status_code == 409
        gate.open.set()
        assert (await http.post(f"/runs/{run_id}/resume")).status_code == 202
        record = await settled(http, run_id)
        assert (record["status"], record["output"], gate.calls) == ("done", 42, 2)


async def test_a_run_that_waits_can_be_cancelled(serve: Serve) -> None:
    async with serve() as site, await site.client() as http:
        run_id = (await http.post("/runs", json={"workflow": "careful"})).json()["run_id"]
        await settled(http, run_id)
        assert (await http.post(f"/runs/{run_id}/cancel")).status_code == 202
        assert (await settled(http, run_id))["status"] == "cancelled"


async def test_an_answer_that_comes_while_a_run_is_coming_to_rest_is_not_lost(serve: Serve, gate: Gate) -> None:
    text = "{version: 1, name: held, nodes: {wait: {tool: gate}, send: {code: '1', needs: [wait], approve: true}}}"
    async with serve(more=[text]) as site, await site.client() as http:
        run_id = (await http.post("/runs", json={"workflow": "held"})).json()["run_id"]
        handle = site.engine.at_work(run_id)
        assert handle is not None
        gate.open.set()
        while handle.view.status != "waiting":
            await handle.news.wait()
        (waits,) = handle.view.pending.values()
        said = AnswerShape(node=str(waits.node_id), bound_to=waits.bound_to, approved=True)
        service = Service(engine=site.engine, workflows={}, authenticate=api_keys, limits=Limits())
        visit = Visit(
            service=service,
            runtime=service.runtime(Request({"type": "http", "app": site.app})),
            caller=Caller(tenant="acme", role="admin", name="somebody"),
            quota=Quota(),
            method="POST",
            path="",
        )
        async with asyncio.TaskGroup() as group:  # the database is busy, so that the run gives its lease back later
            group.create_task(site.engine.journal.transact(lambda _: time.sleep(0.1)))
            group.create_task(answer(visit, handle.view, [said]))
        assert (await settled(http, run_id))["status"] == "done"


async def test_a_run_that_comes_to_rest_elsewhere_without_its_answer_is_taken_up_with_it(serve: Serve) -> None:
    async with serve() as site, await site.client() as http, Engine(journal=serve.folder / "runs.db") as beside:
        run_id = RunId((await http.post("/runs", json={"workflow": "careful"})).json()["run_id"])
        (waits,) = (await settled(http, run_id))["pending"]
        await beside.journal.take(run_id)  # another server has written that it waits, and not yet let go
        yes = {"node": "send", "bound_to": waits["bound_to"], "approved": True}
        async with asyncio.TaskGroup() as group:
            answering = group.create_task(http.post(f"/runs/{run_id}/approve", json={"answers": [yes]}))
            pending = (await beside.view(run_id)).pending.values()
            while not answering.done() and not await Inbox(beside.journal).read(run_id, pending):
                await asyncio.sleep(0.01)
            await beside.journal.release(run_id)
        assert answering.result().status_code == 202
        assert (await settled(http, run_id))["status"] == "done"


async def test_a_failed_run_goes_on_under_the_corrected_workflow_of_a_server_that_was_started_again(
    serve: Serve, gate: Gate
) -> None:
    gate.open.set()
    text = GATED.replace("name: gated", "name: torn")
    async with serve(more=[text.replace("w + 1", "w / 0")]) as site, await site.client() as http:
        run_id = (await http.post("/runs", json={"workflow": "torn"})).json()["run_id"]
        assert (await settled(http, run_id))["status"] == "failed"
    async with serve(more=[text]) as site, await site.client() as http:
        assert (await http.post(f"/runs/{run_id}/resume")).status_code == 202
        assert (await settled(http, run_id))["status"] == "failed"
        assert (await http.post(f"/runs/{run_id}/resume?corrected=true")).status_code == 202
        record = await settled(http, run_id)
    assert (record["status"], record["output"], gate.calls) == ("done", 42, 1)


async def test_a_cancelled_run_that_is_refused_to_be_resumed_is_left_alone_by_all_servers(
    serve: Serve, gate: Gate
) -> None:
    text = GATED.replace("name: gated", "name: torn")
    async with serve(more=[text]) as site, await site.client() as http:
        run_id = (await http.post("/runs", json={"workflow": "torn"})).json()["run_id"]
        while not gate.calls:
            await asyncio.sleep(0.01)
        assert (await http.post(f"/runs/{run_id}/cancel")).status_code == 202
        assert (await settled(http, run_id))["status"] == "cancelled"
    other = text.replace("nodes:", "inputs: {must: {type: integer}}\nnodes:")
    async with serve(more=[other]) as site, await site.client() as http:
        assert (await http.post(f"/runs/{run_id}/resume?corrected=true")).status_code == 422
        assert await Owners(site.engine.journal).unfinished() == []
