"""The pages in a real Chromium, against a real service.

`PLANLOOM_UI_SHOTS=docs pytest tests/service/test_ui.py` renews the pictures of the documentation.
"""

import asyncio
import json
import os
from pathlib import Path

import httpx
import pytest
from browser import opened
from fastapi import FastAPI
from playwright.async_api import Browser, LocatorAssertions, Page, Request, expect
from ports import on_port
from service_support import Gate, Serve
from support import WAIT_S

from planloom.service import Limits, anyone, pages, ui

LETTER = """
version: 1
name: letter
description: A letter that somebody must approve.
inputs:
  name: {type: string, description: Whom it is for.}
  copies: {type: integer, default: 1}
  tone: {type: string, enum: [warm, formal], default: warm}
  urgent: {type: boolean, default: false}
models:
  mini: {model: "rehearsal:mini", script: letter.yaml, price: {input: 5, output: 20}}
  big: {model: "rehearsal:big", script: letter.yaml, price: {input: 50, output: 200}}
ladder: [mini, big]
nodes:
  address: {code: "'To ' + name", with: {name: "${inputs.name}"}}
  facts: {tool: gate}
  draft:
    goal: Write the letter in at most 60 characters.
    with: {to: "${nodes.address.output}", facts: "${nodes.facts.output}", tone: "${inputs.tone}"}
    checks: [{expr: "len(output) < 60"}]
  translate: {goal: "Translate the letter into French.", with: {text: "${nodes.draft.output}"}}
  send:
    code: "text + ' (' + str(copies) + ' copies)'"
    with: {text: "${nodes.draft.output}", french: "${nodes.translate.output}", copies: "${inputs.copies}"}
    approve: true
output: "${nodes.send.output}"
"""
SCRIPT = """
rehearsal: 1
rules:
  - when: {node: draft, attempt: [1, 2]}
    text: "Dear Ann, first of all let me say at some length that there is much to say about this."
  - when: {node: draft}
    text: "Dear Ann, it is {{input.facts}}."
  - when: {node: translate}
    text: "Chère Ann, c'est 41."
"""
CANARY = "<img src=x onerror='window.ran=1'><script>window.ran=1</script>"
HOSTILE = f"""
version: 1
name: hostile
description: "{CANARY}"
inputs: {{text: {{type: string, description: "{CANARY}"}}}}
models: {{mini: {{model: "rehearsal:mini", script: hostile.yaml, price: {{input: 1, output: 1}}}}}}
tools: {{calc: {{python: {{}}}}}}
nodes:
  said:
    goal: "{CANARY}"
    with: {{text: "${{inputs.text}}"}}
    checks: [{{expr: "len(output) > 3", message: "{CANARY}"}}]
  called: {{goal: "{CANARY}", tools: [calc]}}
  failing: {{goal: "{CANARY}", with: {{text: "${{nodes.said.output}}"}}, checks: [{{expr: "output == '1'"}}]}}
  send: {{code: "text", with: {{text: "${{nodes.said.output}}"}}, approve: true}}
output: "${{nodes.said.output}}"
"""
HOSTILE_SCRIPT = f"""
rehearsal: 1
rules:
  - when: {{node: called, tool_results: 0}}
    tool_calls: [{{name: calc, args: {{code: "nothing('{CANARY.replace("'", "")}')"}}}}]
  - when: {{node: "*"}}
    text: "{CANARY}"
"""
pytestmark = pytest.mark.asyncio(loop_scope="session")
SHOTS = os.environ.get("PLANLOOM_UI_SHOTS")


def large(nodes: int) -> str:
    """Return a workflow of which only the first node begins, until the gate is opened."""
    layers = {f"n{number}": {"code": "1", "needs": [f"n{number // 4}"]} for number in range(1, nodes)}
    return json.dumps({"version": 1, "name": "large", "nodes": {"n0": {"tool": "gate"}, **layers}})


async def picture(page: Page, name: str) -> None:
    if SHOTS:
        await page.screenshot(path=Path(SHOTS) / f"ui-{name}.png")


def node(page: Page, name: str, state: str) -> LocatorAssertions:
    return expect(page.locator(f'.graph [data-node="{name}"][data-state="{state}"]'))


async def test_a_run_is_started_from_the_form_seen_live_approved_and_its_result_shown(
    serve: Serve, gate: Gate, browser: Browser, tmp_path: Path
) -> None:
    (tmp_path / "letter.yaml").write_text(SCRIPT)
    async with serve(more=[LETTER], auth=anyone()) as site, opened(browser, site.url) as page:
        await page.get_by_role("link", name="Start a run").first.click()
        await page.get_by_role("link", name="letter").click()
        await page.get_by_label("copies").fill("3")
        await page.get_by_label("tone").select_option(label="formal")
        await page.get_by_role("button", name="Start").click()  # the name is missing: the browser says so
        assert not (await page.get_by_label("name").evaluate("field => field.validity.valid"))
        await page.get_by_label("name").fill("Ann")
        await picture(page, "start")
        await page.get_by_role("button", name="Start").click()
        await node(page, "address", "done").to_be_visible()
        await node(page, "facts", "running").to_be_visible()
        await node(page, "draft", "pending").to_be_visible()
        gate.open.set()
        await node(page, "draft", "done").to_be_visible()
        await node(page, "send", "held").to_be_visible()
        card = page.locator('.waits[data-node="send"]')
        await expect(card).to_contain_text("Dear Ann, it is 41.")
        await expect(card).to_contain_text('"copies": 3')
        await picture(page, "approve")
        await card.get_by_role("button", name="Approve").click()
        await expect(page.locator(".head [data-status=done]")).to_be_visible()
        await expect(page.locator(".result")).to_contain_text("Dear Ann, it is 41. (3 copies)")
        await node(page, "send", "done").to_be_visible()
        await expect(card).to_have_count(0)
        await picture(page, "run")


async def test_what_models_and_tools_wrote_is_shown_and_never_runs(
    serve: Serve, browser: Browser, gate: Gate, tmp_path: Path
) -> None:
    (tmp_path / "hostile.yaml").write_text(HOSTILE_SCRIPT)
    gate.open.set()
    async with serve(more=[HOSTILE], auth=anyone()) as site, opened(browser, f"{site.url}/ui/#/start/hostile") as page:
        await page.get_by_label("text").fill(CANARY)
        await page.get_by_role("button", name="What would it do?").click()
        await expect(page.locator("main")).to_contain_text(CANARY)
        await page.get_by_role("button", name="Start").click()
        await expect(page.locator('.waits[data-node="send"]')).to_contain_text("<img src=x onerror=")
        for tab in ("Nodes", "Timeline", "Plan", "Decisions", "Cost", "Graph"):
            await page.get_by_role("tab", name=tab).click()
        for name in ("said", "failing", "called"):
            await page.locator(f'.graph [data-node="{name}"]').click()
            await expect(page.locator(".node-panel .goal")).to_have_text(CANARY)
            await page.evaluate("document.querySelectorAll('.node-panel details').forEach(part => part.open = true)")
        await expect(page.locator(".tool-calls")).to_contain_text("nothing('<img src=x onerror=")
        await page.get_by_label("Note").fill(CANARY)
        await page.get_by_role("button", name="Approve").click()
        await page.get_by_role("tab", name="Decisions").click()
        await expect(page.locator(".decisions")).to_contain_text(CANARY)
        assert await page.evaluate("window.ran") is None
        assert await page.locator("main img, main script").count() == 0


async def test_a_key_is_asked_for_kept_in_the_tab_and_sent_as_a_header(serve: Serve, browser: Browser) -> None:
    async with serve() as site, opened(browser, site.url) as page:
        asked = list[Request]()
        page.on("request", lambda sent: asked.append(sent))
        field = page.get_by_label("Key or token")
        await field.fill("wrong")
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("alert")).to_contain_text("opens nothing")
        key = await site.key(role="viewer")
        await field.fill(key)
        await field.press("Enter")
        await expect(page.get_by_role("heading", name="Runs")).to_be_visible()
        assert all(key not in request.url for request in asked)
        assert (await asked[-1].all_headers())["authorization"] == f"Bearer {key}"
        assert await page.evaluate("Object.keys(localStorage).length") == 0
        await page.get_by_role("link", name="Start a run").first.click()
        await page.get_by_role("link", name="careful").click()
        await page.get_by_role("button", name="Start").click()
        await expect(page.get_by_role("alert")).to_contain_text("viewer does not allow")
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_label("Key or token")).to_be_visible()


async def test_a_stream_that_ends_early_goes_on_after_its_last_event(
    serve: Serve, gate: Gate, browser: Browser
) -> None:
    async with serve(auth=anyone(), limits=Limits(stream_s=0.1, heartbeat_s=0.05)) as site:
        run_id = await site.begin("gated")
        async with opened(browser, "about:blank") as page:
            streams = list[Request]()
            page.on("request", lambda sent: streams.append(sent) if sent.url.endswith("/events") else None)
            async with page.expect_event("request", lambda _: len(streams) >= 3):
                await page.goto(f"{site.url}/ui/#/runs/{run_id}")
                await node(page, "wait", "running").to_be_visible()
            gate.open.set()
            await node(page, "two", "done").to_be_visible()
            await expect(page.locator(".result")).to_contain_text("42")
            ids = [(await sent.all_headers()).get("last-event-id") for sent in streams]
            assert ids[0] is None
            assert all(ids[1:])
            await page.locator('.graph [data-node="wait"]').click()
            await expect(page.locator(".tool-calls > li")).to_have_count(1)


async def test_the_list_is_filtered_and_paged(serve: Serve, browser: Browser) -> None:
    async with serve(auth=anyone(), limits=Limits(max_runs_of_tenant=50)) as site:
        held = await site.begin("careful")
        await site.rested(held)
        async with asyncio.TaskGroup() as group:
            sums = [group.create_task(site.begin("sum", {"a": number})) for number in range(26)]
        some = sums[7].result()
        async with opened(browser, site.url) as page:
            rows = page.locator("tbody tr")
            await expect(rows).to_have_count(25)
            await page.get_by_role("button", name="Older").click()
            await expect(rows).to_have_count(2)
            await page.get_by_role("button", name="Newer").click()
            await expect(rows).to_have_count(25)
            await page.go_back()
            await expect(rows).to_have_count(2)
            await page.get_by_role("button", name="Newer").click()
            await page.get_by_label("Find").fill(some[-6:])
            await page.get_by_label("Find").press("Enter")
            await expect(rows).to_have_count(1)
            await expect(rows).to_contain_text(some)
            await page.get_by_label("State").select_option("waiting")
            await expect(page.locator(".nothing")).to_contain_text("No run fits here")
            await page.get_by_role("link", name="Show all runs").click()
            await expect(rows).to_have_count(25)
            await page.get_by_label("Workflow").select_option("careful")
            await expect(rows).to_have_count(1)
            address = page.url
        async with opened(browser, address) as page:
            await expect(page.locator("tbody tr")).to_have_count(1)
            await page.get_by_role("link", name=held).click()
            await expect(page.locator('.waits[data-node="send"]')).to_be_visible()


async def test_a_plan_of_500_nodes_is_drawn_whole_and_answers_to_a_click(
    serve: Serve, gate: Gate, browser: Browser
) -> None:
    async with serve(more=[large(500)], auth=anyone()) as site:
        run_id = await site.begin("large")
        async with opened(browser, f"{site.url}/ui/#/runs/{run_id}") as page:
            await expect(page.locator(".graph [data-node]")).to_have_count(500)
            await page.locator('.graph [data-node="n499"]').click()
            await expect(page.locator(".node-panel h2")).to_have_text("n499")
            await page.get_by_label("Find a node").fill("n123")
            await page.get_by_label("Find a node").press("Enter")
            await expect(page.locator(".node-panel h2")).to_have_text("n123")
            await expect(page.locator('.graph [data-node="n123"]')).to_be_in_viewport()
            await page.get_by_role("button", name="Fit all").click()
            await page.get_by_role("button", name="Cancel").click()
            await expect(page.locator(".head [data-status=cancelled]")).to_be_visible()


async def test_keys_alone_are_enough(serve: Serve, gate: Gate, browser: Browser) -> None:
    async with serve(auth=anyone()) as site:
        run_id = await site.begin("gated")
        async with opened(browser, f"{site.url}/ui/#/runs/{run_id}") as page:
            await node(page, "wait", "running").to_be_visible()
            await page.get_by_role("tab", name="Graph").focus()
            await page.keyboard.press("ArrowRight")
            await expect(page.get_by_role("tab", name="Nodes")).to_be_focused()
            await page.keyboard.press("ArrowLeft")
            await page.locator('.graph [data-node][tabindex="0"]').focus()
            await page.keyboard.press("ArrowRight")
            await expect(page.locator('.graph [data-node="wait"]')).to_be_focused()
            await page.keyboard.press("Enter")
            await expect(page.locator(".node-panel h2")).to_have_text("wait")
            await expect(page.locator(".node-panel")).to_be_focused()
            await page.keyboard.press("Escape")
            await expect(page.locator(".node-panel")).to_be_hidden()
            gate.open.set()
            await expect(page.locator(".head [data-status=done]")).to_be_visible()


async def test_on_a_phone_in_the_dark_nothing_is_wider_than_the_screen(
    serve: Serve, gate: Gate, browser: Browser, tmp_path: Path
) -> None:
    (tmp_path / "letter.yaml").write_text(SCRIPT)
    gate.open.set()
    async with serve(more=[LETTER], auth=anyone()) as site:
        run_id = await site.begin("letter", {"name": "A" * 300})
        await site.rested(run_id)
        async with opened(browser, site.url, width=360, height=740, dark=True) as page:
            for place, heading in (
                ("runs", "Runs"),
                ("start", "Start a run"),
                ("quality", "Quality against compute"),
                ("start/letter", "letter"),
                (f"runs/{run_id}", "letter"),
                (f"runs/{run_id}/draft", "letter"),
            ):
                await page.goto(f"{site.url}/ui/#/{place}")
                await expect(page.locator("h1")).to_have_text(heading)
                assert await page.evaluate("document.documentElement.scrollWidth") <= 360, place
            await node(page, "send", "held").to_be_visible()
            for tab in ("Nodes", "Timeline", "Plan", "Decisions", "Cost", "Graph"):
                await page.get_by_role("tab", name=tab).click()
                assert await page.evaluate("document.documentElement.scrollWidth") <= 360, tab
            await page.get_by_role("button", name="Close the node").click()
            await expect(page.locator(".node-panel")).to_be_hidden()
            await picture(page, "phone")
            dark = await page.evaluate("getComputedStyle(document.body).backgroundColor")
            await page.emulate_media(color_scheme="light")
            assert dark != await page.evaluate("getComputedStyle(document.body).backgroundColor")


async def test_the_pages_are_served_with_a_strict_policy_and_stand_in_no_document(serve: Serve) -> None:
    async with serve() as site, httpx.AsyncClient(base_url=site.url, follow_redirects=True, timeout=WAIT_S) as http:
        first = await http.get("/")
        assert (first.status_code, first.url.path) == (200, "/ui/")
        policy = first.headers["content-security-policy"]
        assert "script-src 'self';" in policy
        assert "require-trusted-types-for 'script'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        for file in sorted((Path(pages.__file__).parent / "ui").rglob("*.*")):
            got = await http.get(f"/ui/{file.relative_to(Path(pages.__file__).parent / 'ui')}")
            assert (got.status_code, got.headers["x-content-type-options"]) == (200, "nosniff"), file
        assert (await http.get("/ui/none.js")).status_code == 404
        assert (await http.get("/ui/%2e%2e/pages.py")).status_code == 404
        assert not [path for path in (await http.get("/openapi.json")).json()["paths"] if not path.startswith("/v1/")]


async def test_an_app_of_ones_own_says_where_its_service_is(serve: Serve) -> None:
    app = FastAPI()
    app.mount("/look", ui('/shop/v1"><b>'))
    async with on_port(app) as url, httpx.AsyncClient(base_url=url, timeout=WAIT_S) as http:
        page = (await http.get("/look/")).text
    assert 'content="/shop/v1&quot;&gt;&lt;b&gt;"' in page
