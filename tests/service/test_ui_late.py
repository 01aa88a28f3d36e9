"""What the pages do with answers that come late, and with what somebody does meanwhile."""

import asyncio
import itertools
import json
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx
import pytest
from browser import opened
from playwright.async_api import Browser, Page, Route, expect
from service_support import Gate, Serve
from support import WAIT_S

from planloom.service import anyone

pytestmark = pytest.mark.asyncio(loop_scope="session")
STEPS = "{version: 1, name: steps, nodes: {one: {tool: gate}, two: {tool: second, needs: [one]}}}"
DRAWN = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


@asynccontextmanager
async def late(page: Page, pattern: str, *, number: int = 1) -> AsyncGenerator[asyncio.Event]:
    """Hold one answer of an address back until this is left, and then until the page has drawn.

    Yields:
        Whether the service has given the answer.
    """
    given, let_go, told, numbers = asyncio.Event(), asyncio.Event(), asyncio.Event(), itertools.count(1)

    async def answer(route: Route) -> None:
        if next(numbers) != number:
            return await route.continue_()
        found = await route.fetch()
        given.set()
        await let_go.wait()
        await route.fulfill(response=found)
        return told.set()

    await page.route(re.compile(pattern), answer)
    yield given
    let_go.set()
    await told.wait()
    await page.evaluate(DRAWN)


async def test_a_page_whose_answer_comes_late_does_not_draw_over_the_next(
    serve: Serve, gate: Gate, browser: Browser
) -> None:
    async with serve(auth=anyone()) as site:
        run_id = await site.begin("gated")
        async with opened(browser, f"{site.url}/ui/#/quality") as page:
            async with late(page, "/v1/workflows/gated$") as given:
                await page.goto(f"{site.url}/ui/#/start/gated")
                await given.wait()
                await page.goto(f"{site.url}/ui/#/runs/{run_id}")
                await expect(page.locator('.graph [data-node="wait"][data-state="running"]')).to_be_visible()
            gate.open.set()
            await expect(page.locator(".head [data-status=done]")).to_be_visible()


async def test_the_list_shows_what_was_asked_last(serve: Serve, browser: Browser) -> None:
    async with serve(auth=anyone()) as site:
        waiting, done = await site.begin("careful"), await site.begin("sum", {"a": 1})
        assert (await site.rested(waiting))["status"] == "waiting"
        assert (await site.rested(done))["status"] == "done"
        async with opened(browser, site.url) as page:
            rows = page.locator("tbody tr")
            await expect(rows).to_have_count(2)
            async with late(page, r"/v1/runs\?.*status=waiting") as given:
                await page.get_by_label("State").select_option("waiting")
                await given.wait()
                await page.get_by_label("State").select_option("done")
                await expect(rows).to_have_count(1)
                await expect(rows).to_contain_text(done)
            assert done in await rows.inner_text()  # as it is at this moment: the list renews itself


async def test_a_renewal_of_the_list_does_not_undo_a_later_one(serve: Serve, gate: Gate, browser: Browser) -> None:
    async with serve(auth=anyone()) as site:
        run_id = await site.begin("gated")
        async with opened(browser, f"{site.url}/ui/#/start") as page:
            await page.clock.install()
            async with late(page, r"/v1/runs\?", number=2) as given:
                await page.goto(f"{site.url}/ui/#/runs?workflow=gated")
                await expect(page.locator("tbody tr [data-status=running]")).to_be_visible()
                await page.clock.fast_forward(5_000)
                await given.wait()
                gate.open.set()
                assert (await site.rested(run_id))["status"] == "done"
                await page.clock.fast_forward(5_000)
                await expect(page.locator("tbody tr [data-status=done]")).to_be_visible()
            assert await page.locator("tbody tr [data-status=done]").count() == 1


async def test_words_to_find_stay_while_the_list_is_turned(serve: Serve, browser: Browser) -> None:
    async with serve(auth=anyone()) as site, opened(browser, f"{site.url}/ui/#/runs?status=done") as page:
        find, table = page.get_by_label("Find"), page.locator(".nothing")
        await expect(table).to_be_visible()
        await find.fill("su")
        await page.evaluate("location.hash = '#/runs?status=failed'")
        await expect(page.get_by_label("State")).to_have_value("failed")
        await expect(find).to_have_value("su")
        await page.evaluate("location.hash = '#/runs?status=failed&find=care'")
        await expect(find).to_have_value("care")


async def test_quality_is_of_the_workflow_that_was_chosen_last(serve: Serve, browser: Browser) -> None:
    async with serve(auth=anyone()) as site:
        await site.rested(await site.begin("sum", {"a": 1}))
        async with opened(browser, f"{site.url}/ui/#/quality") as page:
            body, choice = page.locator(".quality"), page.get_by_label("Workflow")
            await expect(body).to_contain_text("1 run looked at")
            async with late(page, r"/v1/quality\?workflow=careful") as given:
                await choice.select_option("careful")
                await given.wait()
                await page.go_back()
                await expect(body).to_contain_text("1 run looked at")
                await expect(choice).to_have_value("")
            await expect(body).to_contain_text("1 run looked at")


async def test_a_run_that_begins_late_does_not_call_back_whoever_went_on(
    serve: Serve, gate: Gate, browser: Browser
) -> None:
    async with serve(auth=anyone()) as site, opened(browser, f"{site.url}/ui/#/start/gated") as page:
        async with late(page, "/v1/runs$") as given:
            await page.get_by_role("button", name="Start").click()
            await given.wait()
            await page.get_by_role("link", name="Quality").click()
            await expect(page.locator("h1")).to_have_text("Quality against compute")
        assert page.url.endswith("#/quality")
        await page.get_by_role("link", name="Runs").click()
        await expect(page.locator("tbody tr [data-status=running]")).to_be_visible()


async def test_a_run_that_went_on_and_ended_before_the_page_heard_is_told_whole(
    serve: Serve, gate: Gate, browser: Browser
) -> None:
    async with serve(auth=anyone()) as site:
        run_id = await site.begin("gated")
        async with httpx.AsyncClient(base_url=f"{site.url}/v1", timeout=WAIT_S) as http:
            await http.post(f"/runs/{run_id}/cancel")
        gate.open.set()
        async with opened(browser, f"{site.url}/ui/#/start") as page:
            async with late(page, "/events$", number=2) as given:  # the answer that says: nothing more will come
                await page.goto(f"{site.url}/ui/#/runs/{run_id}")
                await given.wait()
                await page.get_by_role("button", name="Resume").click()
                await expect(page.get_by_role("button", name="Resume")).to_have_count(0)
                assert (await site.rested(run_id))["status"] == "done"
            await expect(page.locator(".result")).to_contain_text("42")
            await page.get_by_role("tab", name="Decisions").click()
            await expect(page.locator(".decisions")).to_contain_text("taken up again")


async def test_a_tab_that_is_taken_at_the_same_moment_as_a_node_keeps_the_node(
    serve: Serve, gate: Gate, browser: Browser
) -> None:
    async with serve(auth=anyone()) as site:
        run_id = await site.begin("gated")
        async with opened(browser, f"{site.url}/ui/#/runs/{run_id}") as page:
            await expect(page.locator('.graph [data-node="wait"][data-state="running"]')).to_be_visible()
            await page.evaluate("""() => {
                document.querySelector('.graph [data-node="wait"]').dispatchEvent(new MouseEvent("click"));
                document.querySelector("#tab-1").click();
            }""")
            await expect(page.locator(".node-panel h2")).to_have_text("wait")
            await expect(page.get_by_role("tab", name="Nodes")).to_have_attribute("aria-selected", "true")
            assert page.url.endswith(f"{run_id}/wait?view=nodes")


async def test_why_a_deed_was_refused_is_still_said_when_the_run_goes_on(
    serve: Serve, gate: Gate, browser: Browser
) -> None:
    second = Gate(asyncio.Event())
    serve.tools["second"] = second.__call__
    refusal = {"type": "conflict", "title": "Conflict", "status": 409, "detail": "Not now."}
    async with serve(more=[STEPS], auth=anyone()) as site:
        run_id = await site.begin("steps")
        async with opened(browser, f"{site.url}/ui/#/runs/{run_id}") as page:
            await page.route("**/cancel", lambda route: route.fulfill(status=409, body=json.dumps(refusal)))
            await page.get_by_role("button", name="Cancel").click()
            told = page.locator(".head .problem")
            await expect(told).to_have_text("Not now.")
            gate.open.set()
            await expect(page.locator(".head .facts")).to_contain_text("1 of 2 done")
            await expect(told).to_be_visible()
            second.open.set()
            await expect(page.locator(".head [data-status=done]")).to_be_visible()
            await expect(told).to_be_hidden()
