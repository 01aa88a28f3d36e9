"""The routes in apps of others: under a prefix, mounted, behind a proxy, and twice in one app."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from ports import on_port
from service_support import CAREFUL

from planloom import Engine, Workflow
from planloom.service import anyone, lifespan, router


async def lead_back(url: str, before: str) -> str:
    """Start and cancel a run below an address, hold both answers' `Location` against it, and return the run's id."""
    async with httpx.AsyncClient(timeout=20) as http:
        started = await http.post(f"{url}{before}/v1/runs", json={"workflow": "careful"})
        run_id: str = started.json()["run_id"]
        cancelled = await http.post(f"{url}{before}/v1/runs/{run_id}/cancel")
        for answer in (started, cancelled):
            assert answer.headers["location"] == f"{before}/v1/runs/{run_id}"
            found = await http.get(url + answer.headers["location"])
            assert found.json()["run_id"] == run_id
    return run_id


def routes(engine: Engine) -> FastAPI:
    app = FastAPI()
    app.include_router(router(engine, [Workflow.from_text(CAREFUL)], auth=anyone()))
    return app


async def test_an_answer_says_where_a_run_is_below_a_prefix_and_in_a_mounted_app(tmp_path: Path) -> None:
    prefixed, mounted = Engine(journal=tmp_path / "one.db"), Engine(journal=tmp_path / "two.db")
    within = routes(mounted)

    @asynccontextmanager
    async def alive(app: FastAPI) -> AsyncGenerator[None]:
        async with lifespan(prefixed)(app), lifespan(mounted)(within):
            yield

    app = FastAPI(lifespan=alive)
    app.include_router(router(prefixed, [Workflow.from_text(CAREFUL)], auth=anyone()), prefix="/agents")
    app.mount("/inside", within)
    async with on_port(app) as url:
        await lead_back(url, "/agents")
        await lead_back(url, "/inside")


@pytest.mark.parametrize("stripped", [True, False])
async def test_an_answer_says_where_a_run_is_behind_a_proxy_with_a_path(tmp_path: Path, stripped: bool) -> None:
    engine = Engine(journal=tmp_path / "one.db")
    app = routes(engine)
    async with lifespan(engine)(app):
        as_server = httpx.ASGITransport(app=app, root_path="/shop")
        async with httpx.AsyncClient(transport=as_server, base_url="http://shop") as http:
            before = "" if stripped else "/shop"
            started = await http.post(f"{before}/v1/runs", json={"workflow": "careful"})
            assert started.headers["location"] == f"/shop/v1/runs/{started.json()['run_id']}"


async def test_two_engines_in_one_app_each_have_their_own_runs(tmp_path: Path) -> None:
    one, two = Engine(journal=tmp_path / "one.db"), Engine(journal=tmp_path / "two.db")

    @asynccontextmanager
    async def alive(app: FastAPI) -> AsyncGenerator[None]:
        async with lifespan(one)(app), lifespan(two)(app):
            yield

    app = FastAPI(lifespan=alive)
    for engine, prefix in ((one, "/one"), (two, "/two")):
        app.include_router(router(engine, [Workflow.from_text(CAREFUL)], auth=anyone()), prefix=prefix)
    async with on_port(app) as url, httpx.AsyncClient(base_url=url) as http:
        here, there = await lead_back(url, "/one"), await lead_back(url, "/two")
        assert (await http.get(f"/one/v1/runs/{there}")).status_code == 404
        assert [run["run_id"] for run in (await http.get("/one/v1/runs")).json()["runs"]] == [here]


async def test_pages_of_another_origin_that_the_app_lets_in_read_answers_streams_and_errors(tmp_path: Path) -> None:
    engine = Engine(journal=tmp_path / "one.db")
    app = routes(engine)
    app.add_middleware(CORSMiddleware, allow_origins=["https://shop.example"])
    async with lifespan(engine)(app), on_port(app) as url, httpx.AsyncClient(base_url=url) as http:
        http.headers["Origin"] = "https://shop.example"
        run_id = (await http.post("/v1/runs", json={"workflow": "careful"})).json()["run_id"]
        assert (await http.post(f"/v1/runs/{run_id}/cancel")).status_code == 202
        for path in (f"/v1/runs/{run_id}/events", "/v1/runs/nobody"):
            assert (await http.get(path)).headers["access-control-allow-origin"] == "https://shop.example"
