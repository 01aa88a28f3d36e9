"""The service over PostgreSQL: the same tables, the same promises."""

import asyncio
from pathlib import Path

import psycopg
import pytest
from postgres import Postgres
from receiver import hooks, receiving
from service_support import Gate, Serve, events_of, settled


async def test_two_servers_over_one_database_share_keys_runs_and_streams(
    postgres: Postgres, tmp_path: Path, gate: Gate
) -> None:
    url = postgres.fresh()
    serve = Serve(tmp_path, gate, journal=url)
    async with serve() as site, serve() as beside, await site.client() as http, await site.client("rival") as rival:
        key = {"Idempotency-Key": "one"}
        body = {"workflow": "careful"}
        other = beside.url + "/v1/runs"
        async with asyncio.TaskGroup() as group:
            here = [group.create_task(http.post("/runs", json=body, headers=key)) for _ in range(4)]
            there = [group.create_task(http.post(other, json=body, headers=key)) for _ in range(4)]
        answers = [task.result() for task in (*here, *there)]
        assert {answer.status_code for answer in answers} <= {200, 202, 409}
        run_ids = {answer.json()["run_id"] for answer in answers if answer.status_code != 409}
        assert len(run_ids) == 1
        run_id = run_ids.pop()
        pending = (await settled(http, run_id))["pending"][0]
        answer = {"answers": [{"node": "send", "bound_to": pending["bound_to"], "approved": True}]}
        assert (await rival.post(f"{other}/{run_id}/approve", json=answer)).status_code == 404
        assert (await http.post(f"{other}/{run_id}/approve", json=answer)).status_code == 202
        events = await events_of(http, run_id)
        assert [number for number, _ in events] == list(range(1, len(events) + 1))
        assert events[-1][1]["output"] == "Dear all, it is done."
        assert (await rival.get("/runs")).json()["runs"] == []
        page = (await http.get("/runs", params={"limit": 1})).json()
        assert [run["run_id"] for run in page["runs"]] == [run_id]
        assert (await http.get("/runs", params={"cursor": page["next_cursor"]})).json()["runs"] == []
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in (b"DELETE FROM audit", b"UPDATE audit SET actor = 'nobody'", b"TRUNCATE audit"):
            with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
                connection.execute(statement)


async def test_two_servers_over_one_database_tell_a_receiver_once(
    postgres: Postgres, tmp_path: Path, gate: Gate
) -> None:
    serve = Serve(tmp_path, gate, journal=postgres.fresh())
    async with (
        receiving() as receiver,
        serve(webhooks=hooks(receiver)) as site,
        serve(webhooks=hooks(receiver)),
        await site.client() as http,
    ):
        for number in range(4):
            await http.post("/runs", json={"workflow": "sum", "inputs": {"a": number}})
        await receiver.until(4)
        waiting = (await http.post("/runs", json={"workflow": "careful"})).json()["run_id"]
        assert (await receiver.until(5))[-1].data["run_id"] == waiting  # comes after all that could come twice
        assert len({got.id for got in receiver.got}) == 5
