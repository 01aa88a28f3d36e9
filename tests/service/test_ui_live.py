"""What stays as it is on the pages while runs go on, and what they say when the service goes away."""

from pathlib import Path

import httpx
import pytest
from browser import opened
from playwright.async_api import Browser, expect
from ports import free_port
from service_support import Gate, Serve, serving, write_slow
from support import WAIT_S

from planloom.service import anyone

pytestmark = pytest.mark.asyncio(loop_scope="session")
FAILING = """
version: 1
name: failing
nodes:
  bad: {code: "1 / 0"}
  behind: {code: "x", with: {x: "${nodes.bad.output}"}}
  each: {code: "item", map: [1, 2, 3], with: {item: "${item}"}}
  after: {code: "len(x)", with: {x: "${nodes.each.output}"}}
"""


async def test_focus_and_selection_stay_while_a_run_goes_on(serve: Serve, gate: Gate, browser: Browser) -> None:
    async with serve(auth=anyone()) as site:
        run_id = await site.begin("gated")
        async with opened(browser, f"{site.url}/ui/#/runs/{run_id}?view=timeline") as page:
            lane = page.locator(".timeline").get_by_role("button", name="one")
            await lane.focus()
            await page.evaluate("getSelection().selectAllChildren(document.querySelector('.facts dd'))")
            took = page.locator(".facts > div", has_text="Took")
            before = await took.inner_text()
            await expect(took).not_to_have_text(before)
            assert (await page.evaluate("getSelection().toString()")).strip() == run_id
            gate.open.set()
            await expect(page.locator(".head [data-status=done]")).to_be_visible()
            await expect(page.locator(".timeline").get_by_role("button", name="two")).to_be_visible()
            await expect(lane).to_be_focused()
            assert await page.title() == "gated: done · Planloom"
            await page.get_by_role("link", name="Runs").click()
            await page.get_by_role("link", name=run_id).focus()
            await site.begin("careful")
            await expect(page.locator("tbody tr")).to_have_count(2)
            await expect(page.get_by_role("link", name=run_id)).to_be_focused()


async def test_a_node_that_is_closed_gives_the_focus_back(serve: Serve, gate: Gate, browser: Browser) -> None:
    async with serve(auth=anyone()) as site:
        run_id = await site.begin("gated")
        async with opened(browser, f"{site.url}/ui/#/runs/{run_id}") as page:
            wait = page.locator('.graph [data-node="wait"]')
            await wait.click()
            await page.locator(".node-panel").get_by_role("button", name="one").click()
            await expect(page.locator(".node-panel h2")).to_have_text("one")
            await page.keyboard.press("Escape")
            await expect(wait).to_be_focused()
            gate.open.set()
            await expect(page.locator(".head [data-status=done]")).to_be_visible()


async def test_what_never_ran_is_not_said_to_be_pending_and_a_map_has_the_attempts_of_its_elements(
    serve: Serve, browser: Browser
) -> None:
    async with serve(more=[FAILING], auth=anyone()) as site:
        run_id = await site.begin("failing")
        await site.rested(run_id)
        async with opened(browser, f"{site.url}/ui/#/runs/{run_id}") as page:
            await expect(page.locator(".tally")).to_contain_text("1 not run")
            await expect(page.locator('.graph [data-node="behind"]')).to_contain_text("not run")
            await page.get_by_role("tab", name="Nodes").click()
            rows = page.locator("tbody tr")
            names = [name.split()[0] for name in await rows.locator("td.node").all_inner_texts()]
            assert names[names.index("each") :][:4] == ["each", "each[0]", "each[1]", "each[2]"]
            await expect(rows.nth(names.index("each")).locator("td.attempts")).to_have_text("3")


async def test_a_service_that_goes_away_is_said_to_and_the_run_is_followed_when_it_is_back(
    browser: Browser, tmp_path: Path
) -> None:
    write_slow(tmp_path)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    async with serving(tmp_path, port) as server:
        async with httpx.AsyncClient(base_url=f"{url}/v1", timeout=WAIT_S) as http:
            run_id = (await http.post("/runs", json={"workflow": "slow"})).json()["run_id"]
        async with opened(browser, f"{url}/ui/#/runs/{run_id}") as page:
            await expect(page.locator('.graph [data-node="gate"][data-state="running"]')).to_be_visible()
            await server.kill()
            told = page.get_by_text("The service cannot be reached")
            await expect(told).to_be_visible()
            async with serving(tmp_path, port):
                await expect(told).to_have_count(0)
                (tmp_path / "open").touch()
                await expect(page.locator(".result")).to_contain_text("open")
