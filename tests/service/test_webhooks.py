"""Webhooks: real receivers, real signatures, a server that is killed."""

import asyncio
import json
import os
from pathlib import Path

import httpx
import pytest
from ports import free_port
from receiver import SECRET, hooks, receiving
from service_support import Gate, Serve, events_of, serving, settled, write_slow
from support import WAIT_S

from planloom.cli import main
from planloom.core.json import JsonObject
from planloom.service.webhooks import Webhooks

TWICE = """
version: 1
name: twice
nodes:
  a: {code: "1", approve: true}
  b: {code: "2", approve: true}
output: "${nodes.b.output}"
"""


async def logged(caplog: pytest.LogCaptureFixture, text: str) -> None:
    while text not in caplog.text:
        await asyncio.sleep(0.02)


async def started(http: httpx.AsyncClient, workflow: str, **inputs: int) -> str:
    answer = await http.post("/runs", json={"workflow": workflow, "inputs": inputs})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["run_id"])


async def answer(http: httpx.AsyncClient, run_id: str, pending: JsonObject) -> None:
    body = {"answers": [{"node": pending["node_id"], "bound_to": pending["bound_to"], "approved": True}]}
    assert (await http.post(f"/runs/{run_id}/approve", json=body)).status_code == 202


async def test_a_receiver_is_told_once_what_waits_and_how_the_run_ended(serve: Serve) -> None:
    async with (
        receiving() as receiver,
        serve(webhooks=hooks(receiver), more=[TWICE]) as site,
        await site.client() as http,
    ):
        run_id = await started(http, "twice")
        waiting = (await receiver.until(2))[1]
        assert (waiting.type, waiting.data["run_id"], waiting.data["tenant"]) == ("run.waiting", run_id, "acme")
        record = await settled(http, run_id)
        for_a, for_b = sorted(record["pending"], key=lambda pending: pending["node_id"])
        told = [{"node_id": waits["node_id"], "bound_to": waits["bound_to"]} for waits in waiting.data["pending"]]
        assert {"node_id": "a", "bound_to": for_a["bound_to"]} in told
        await answer(http, run_id, for_a)
        await settled(http, run_id)  # b is held once more, as it was
        await answer(http, run_id, for_b)
        ended = await receiver.until_ended()
        assert [got.type for got in receiver.got] == ["run.waiting", "run.waiting", "run.ended"]
        assert ended.data.items() >= {"run_id": run_id, "status": "done", "error": "", "workflow": "twice"}.items()
        assert len({got.id for got in receiver.got}) == 3


async def test_what_a_receiver_did_not_take_is_sent_again_under_the_same_id_and_redirects_are_not_followed(
    serve: Serve,
) -> None:
    async with receiving(500, 302) as receiver, serve(webhooks=hooks(receiver)) as site, await site.client() as http:
        await started(http, "sum", a=1)
        got = await receiver.until(3)
        assert {message.path for message in got} == {"/hook"}
        assert len({message.id for message in got}) == 1
        assert all(message.data == got[0].data for message in got)


async def test_a_receiver_that_is_gone_gets_nothing_more(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    async with (
        receiving(410) as gone,
        receiving() as other,
        serve(webhooks=hooks(gone, other)) as site,
        await site.client() as http,
    ):
        await started(http, "sum", a=1)
        await logged(caplog, "answered 410")
        await started(http, "sum", a=2)
        await other.until(2)
        assert len(gone.got) == 1


async def test_a_receiver_that_does_not_answer_holds_up_neither_runs_nor_other_receivers(serve: Serve) -> None:
    async with (
        receiving(silent=True) as silent,
        receiving() as other,
        serve(webhooks=hooks(silent, other)) as site,
        await site.client() as http,
    ):
        await started(http, "sum", a=1)
        await silent.until(1)
        run_id = await started(http, "sum", a=2)
        assert (await settled(http, run_id))["status"] == "done"
        await other.until(2)


def said(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    with pytest.raises(SystemExit) as left:
        main(args)
    assert left.value.code == 0
    return capsys.readouterr().out


async def test_what_is_given_up_does_not_stand_in_the_way_is_listed_and_sent_again_when_somebody_says_so(
    serve: Serve, caplog: pytest.LogCaptureFixture, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = ("--journal", str(tmp_path / "runs.db"))
    async with (
        receiving(500) as receiver,
        serve(webhooks=hooks(receiver, delays_s=())) as site,
        await site.client() as http,
    ):
        run_id = await started(http, "sum", a=1)
        last = (await settled(http, run_id))["last_event_id"]
        await logged(caplog, f"run {run_id}, event {last} is given up")
        await started(http, "sum", a=2)
        first, _ = await receiver.until(2)
        listed = json.loads(await asyncio.to_thread(said, capsys, "webhooks", "list", "--json", *journal))
        assert (listed["run_id"], listed["seq"], listed["state"]) == (run_id, last, "dead")
        assert "1 webhook will" in await asyncio.to_thread(said, capsys, "webhooks", "resend", *journal)
        assert (await receiver.until(3))[-1].id == first.id
        while await asyncio.to_thread(said, capsys, "webhooks", "list", *journal):
            await asyncio.sleep(0.02)


async def test_a_name_that_leads_to_this_machine_is_not_connected_to(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    to_here = Webhooks(urls=("https://localhost:9/",), secrets=(b"0" * 24,))
    async with serve(webhooks=to_here) as site, await site.client() as http:
        await started(http, "sum", a=1)
        await logged(caplog, "which is not a public address")


async def test_a_run_that_is_cancelled_by_its_caller_has_ended(serve: Serve) -> None:
    async with receiving() as receiver, serve(webhooks=hooks(receiver)) as site, await site.client() as http:
        run_id = await started(http, "gated")
        assert (await http.post(f"/runs/{run_id}/cancel")).status_code == 202
        assert (await receiver.until_ended()).data["status"] == "cancelled"


async def test_a_run_that_only_stops_with_its_process_has_not_ended(serve: Serve, gate: Gate) -> None:
    async with receiving() as receiver:
        async with serve(webhooks=hooks(receiver)) as site, await site.client() as http:
            run_id = await started(http, "gated")
            while not gate.calls:
                await asyncio.sleep(0.02)
        gate.open.set()
        async with serve(webhooks=hooks(receiver)) as site, await site.client() as http:
            record = await settled(http, run_id)
            assert [event["type"] for _, event in await events_of(http, run_id)].count("RunEnded") == 2
            await receiver.until(1)
        assert [(got.data["status"], got.data["event_id"]) for got in receiver.got] == [
            ("done", record["last_event_id"])
        ]


async def test_the_end_of_a_run_arrives_though_the_server_is_killed_in_the_run_and_before_it_was_delivered(
    tmp_path: Path,
) -> None:
    write_slow(tmp_path)
    port, env = free_port(), {**os.environ, "PLANLOOM_WEBHOOK_SECRET": SECRET}
    async with (
        receiving(500) as receiver,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/v1", timeout=WAIT_S) as http,
    ):
        told = ("--webhook", receiver.url, "--webhook-private")
        async with serving(tmp_path, port, *told, env=env) as server:
            run_id = await started(http, "slow")
            while not (tmp_path / "reached").exists():
                await asyncio.sleep(0.02)
            await server.kill()
        assert receiver.got == []
        (tmp_path / "open").touch()
        async with serving(tmp_path, port, *told, env=env) as server:
            refused = await receiver.until_ended()
            while not receiver.got or receiver.answers:
                await asyncio.sleep(0.02)
            await server.kill()
        async with serving(tmp_path, port, *told, env=env):
            await receiver.until(2)
        assert {got.id for got in receiver.got} == {refused.id}
        assert receiver.got[-1].data.items() >= {"run_id": run_id, "status": "done"}.items()
