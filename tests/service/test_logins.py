"""Logins that fail are slowed down; streams end when what opened them does not hold any more."""

import asyncio
import time

import httpx
import pytest
from fastapi import Request
from service_support import Serve, events_of
from sqlalchemy import update
from support import WAIT_S

from planloom import Engine
from planloom.service.caller import Caller, unauthorized
from planloom.service.limits import Limits
from planloom.service.logins import FailedLogins
from planloom.service.problems import Problem
from planloom.state.keys import Keys
from planloom.state.tables import api_keys


async def test_who_tries_keys_must_wait_and_who_was_let_in_need_not(serve: Serve) -> None:
    async with serve(limits=Limits(failed_logins_per_minute=2)) as site, await site.client() as known:
        assert (await known.get("/runs")).status_code == 200
        async with httpx.AsyncClient(base_url=f"{site.url}/v1", timeout=WAIT_S) as http:
            told = [await http.get("/runs", headers={"Authorization": f"Bearer pl_x{n}_guess"}) for n in range(3)]
            assert [reply.status_code for reply in told] == [401, 401, 429]
            assert told[2].json()["type"] == "urn:planloom:problem:too-many-requests"
            assert 1 <= int(told[2].headers["retry-after"]) <= 30
            assert (await http.get(f"{site.url}/mcp")).status_code == 405
            assert (await http.post(f"{site.url}/mcp", headers={"Authorization": "Bearer x"})).status_code == 429
            assert (await http.get("/runs")).status_code == 401  # tries no key
        assert (await known.get("/runs")).status_code == 200
        fresh = await site.client()
        assert (await fresh.get("/runs")).status_code == 429
        await fresh.aclose()


def asked(host: str, token: str) -> Request:
    headers = [(b"authorization", f"Bearer {token}".encode())]
    return Request({"type": "http", "method": "GET", "path": "/", "headers": headers, "client": (host, 1)})


async def refuse(request: Request, keys: Keys) -> Caller:
    raise unauthorized("no")


async def statuses(kept: FailedLogins, *tries: tuple[str, str]) -> list[int]:
    found = []
    for host, token in tries:
        with pytest.raises(Problem) as told:
            await kept.let(asked(host, token), Keys(Engine(journal=":memory:").journal), refuse, 2)
        found.append(told.value.status)
    return found


async def test_one_key_is_not_tried_from_many_addresses_nor_many_from_one_network() -> None:
    guesses = [(f"10.0.0.{n}", f"pl_abc_{n}") for n in range(3)]
    assert await statuses(FailedLogins(), *guesses) == [401, 401, 429]
    neighbours = [(f"2001:db8::{n}", f"pl_{n}_x") for n in range(3)]
    assert await statuses(FailedLogins(), *neighbours, ("2001:db8:0:1::1", "pl_9_x")) == [401, 401, 429, 401]
    mapped = [(f"::ffff:10.0.0.{n}", f"pl_{n}_x") for n in range(3)]
    assert await statuses(FailedLogins(), *mapped, ("10.0.0.0", "pl_8_x"), ("10.0.0.0", "pl_9_x")) == [
        *[401, 401, 401],
        *[401, 429],
    ]


async def test_what_is_remembered_of_failures_is_bounded() -> None:
    kept, first = FailedLogins(remembered=5), ("10.0.0.1", "pl_a_x")
    assert await statuses(kept, first, first, first) == [401, 401, 429]
    await statuses(kept, *[(f"10.0.1.{n}", f"pl_{n}_x") for n in range(5)])
    assert await statuses(kept, first) == [401]


async def test_open_streams_end_when_their_key_is_revoked_or_expires(serve: Serve) -> None:
    async with serve() as site, await site.client() as http:
        run_id = (await http.post("/runs", json={"workflow": "gated"})).json()["run_id"]
        keys = Keys(site.engine.journal)
        revoked, passing = [await keys.create("acme", "viewer", lifetime_s=600) for _ in range(2)]
        clients = [
            httpx.AsyncClient(base_url=f"{site.url}/v1", headers={"Authorization": f"Bearer {key}"}, timeout=WAIT_S)
            for key in (revoked, passing)
        ]
        async with asyncio.TaskGroup() as group:
            following = [group.create_task(events_of(client, run_id)) for client in clients]
            while site.app.state.planloom[site.engine].streams.total() < 2:
                await asyncio.sleep(0.02)
            await keys.revoke(revoked.split("_")[1])
            over = update(api_keys).where(api_keys.c.key_id == passing.split("_")[1]).values(expires_at=time.time())
            await site.engine.journal.transact(lambda connection: connection.execute(over))
        assert not any(event["type"] == "RunEnded" for task in following for _, event in task.result())
        for client in clients:
            assert (await client.get("/runs")).status_code == 401
            await client.aclose()
        assert (await http.get(f"/runs/{run_id}")).json()["status"] == "running"
