"""What the pages show of runs with everything in them: replans, a panel, a vote, a map; and who can use them."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import axe
import httpx
import pytest
import pytest_asyncio
from browser import opened
from playwright.async_api import Browser, expect
from service_support import Gate, Serve, Site, settled
from support import WAIT_S

from planloom.core.json import Json
from planloom.service import anyone

pytestmark = pytest.mark.asyncio(loop_scope="session")
EVERYTHING = """
version: 1
name: everything
description: The planner writes a panel, a vote, a map and a node that nobody can do.
inputs: {topic: {type: string, default: rain}}
models:
  mini: {model: "rehearsal:mini", script: everything.yaml, price: {input: 5, output: 20}}
  big: {model: "rehearsal:big", script: everything.yaml, price: {input: 50, output: 200}}
  slow:
    {model: "rehearsal:mini", script: everything.yaml, price: {input: 5, output: 20}, batch: {window: 50ms, poll: 50ms}}
ladder: [mini, big]
planner: {model: big, panels: true}
route: {retry: 0, replan: 1}
"""
THREE = """
version: 1
name: three
models:
  mini: {model: "rehearsal:mini", script: three.yaml, price: {input: 5, output: 20}}
  mid: {model: "rehearsal:mid", script: three.yaml, price: {input: 20, output: 80}}
  big: {model: "rehearsal:big", script: three.yaml, price: {input: 50, output: 200}}
ladder: [mini, mid, big]
route: {retry: 0}
nodes: {seven: {goal: Say seven., checks: [{expr: "output == '7'"}]}}
"""
RISE: dict[str, Json] = {"type": "object", "properties": {"rise": {"type": "number"}}, "required": ["rise"]}
REPORT: dict[str, Json] = {
    "goal": "Write the report.",
    "checks": [{"expr": "'7.7' in output", "message": "It names the rise"}],
}
VOICES: dict[str, Json] = {
    "skeptic": {"role": "Recomputes every figure."},
    "reader": {"role": "Says what the report says."},
}
PLAN: dict[str, Json] = {
    "colour": {"goal": "Name the colour.", "checks": [{"agree": {"samples": 3, "quorum": 2}}]},
    "review": {"goal": "By how much did it rise?", "panel": {"members": VOICES, "rounds": 2}, "output": RISE},
    "each": {"map": [1, 2, 3], "code": "item * 2", "with": {"item": "${item}"}},
    "later": {"goal": "There is time.", "model": "slow"},
    "lost": {"goal": "Find what is lost."},
    "report": {**REPORT, "with": {"lost": "${nodes.lost.output}", "rise": "${nodes.review.output.rise}"}},
}
FOUND: dict[str, Json] = {"found": {"code": "'found'"}}
MENDED: dict[str, Json] = {**REPORT, "goal": "Write the report anew.", "with": {"found": "${nodes.found.output}"}}
RULES: list[dict[str, Json]] = [
    {
        "when": {"role": "planner", "contains": "failed for good"},
        "json": {"nodes": {**FOUND, "report": MENDED}, "remove": ["lost"]},
    },
    {"when": {"role": "planner"}, "json": {"nodes": PLAN, "output": "${nodes.report.output}"}},
    {"when": {"node": "colour"}, "text": "red", "times": 1},
    {"when": {"node": "colour"}, "text": "blue"},
    {"when": {"node": "later"}, "text": "now"},
    {"when": {"node": "lost"}, "text": "CANNOT missing_input: nobody has seen it"},
    {"when": {"node": "report", "model": "big"}, "text": "It rose by 7.7."},
    {"when": {"node": "report"}, "text": "It rose."},
    {
        "when": {"member": "skeptic", "round": 1},
        "json": {"claims": [{"subject": "rise", "statement": "It rose by 7.7.", "value": 7.7, "confidence": 0.9}]},
    },
    {
        "when": {"member": "reader", "round": 1},
        "json": {"claims": [{"subject": "rise", "statement": "It rose by 12.", "value": 12}]},
    },
    {"when": {"role": "member"}, "json": {"claims": []}},
    {"when": {"role": "moderator"}, "json": {"result": {"rise": 7.7}, "decided": True}},
]
VIEWS = ("Graph", "Nodes", "Timeline", "Plan", "Decisions", "Cost")


@dataclass(frozen=True)
class Shown:
    """A service with runs that nobody changes: one that is done, and one that waits."""

    site: Site
    done: str
    waiting: str


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shown(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shown]:
    folder = tmp_path_factory.mktemp("shown")
    (folder / "everything.yaml").write_text(json.dumps({"rehearsal": 1, "rules": RULES}))
    serve = Serve(folder, Gate(asyncio.Event()))
    async with (
        serve(more=[EVERYTHING], auth=anyone()) as site,
        httpx.AsyncClient(base_url=f"{site.url}/v1", timeout=WAIT_S) as http,
    ):
        ids = [
            str((await http.post("/runs", json={"workflow": name})).json()["run_id"])
            for name in ("everything", "careful")
        ]
        done, waiting = [await settled(http, run_id) for run_id in ids]
        assert (done["status"], waiting["status"]) == ("done", "waiting"), done
        yield Shown(site, *ids)


async def test_a_replanned_run_says_what_its_new_plan_changed_and_why(shown: Shown, browser: Browser) -> None:
    async with opened(browser, f"{shown.site.url}/ui/#/runs/{shown.done}?view=plan") as page:
        versions = page.locator(".version")
        await expect(versions).to_have_count(2)
        await expect(versions.nth(1)).to_contain_text("1 added, 1 changed, 1 removed")
        diff = versions.nth(1).locator("details", has_text="changed report").locator(".diff")
        await expect(diff.locator(".minus")).to_contain_text(["goal: Write the report.", "inputs.lost"])
        await expect(diff.locator(".plus")).to_contain_text(["goal: Write the report anew.", "inputs.found"])
        await expect(diff).not_to_contain_text("It names the rise")  # a check that stayed as it was
        await page.get_by_role("tab", name="Decisions").click()
        lines = page.locator(".decisions li")
        await expect(lines.filter(has_text="replan after attempt 1")).to_contain_text("nobody has seen it")
        await expect(lines.filter(has_text="promote to big")).to_contain_text("report")
        await lines.filter(has_text="promote to big").get_by_role("button", name="report").click()
        await expect(page.locator(".node-panel h2")).to_have_text("report")
        assert page.url.endswith(f"{shown.done}/report?view=decisions")


async def test_a_node_shows_its_attempts_its_vote_and_its_panels_board(shown: Shown, browser: Browser) -> None:
    async with opened(browser, f"{shown.site.url}/ui/#/runs/{shown.done}/report", width=1300) as page:
        panel = page.locator(".node-panel")
        attempts = panel.locator("summary", has_text="Attempt")
        await expect(attempts).to_have_count(2)
        await expect(attempts.first).to_contain_text("failed mini")
        await expect(attempts.last).to_contain_text("done big")
        await attempts.first.click()
        await expect(panel.locator(".not-passed").first).to_contain_text("It names the rise")
        left, right = await page.locator(".graph").bounding_box(), await panel.bounding_box()
        assert left
        assert right
        assert right["x"] >= left["x"] + left["width"]  # beside the graph where there is room
        await page.locator('.graph [data-node="colour"]').click()
        await expect(panel.locator(".vote tbody tr")).to_have_count(3)
        await expect(panel.locator(".vote")).to_contain_text("red")
        await page.locator('.graph [data-node="review"]').click()
        await expect(panel.locator(".claim")).to_have_count(2)
        await expect(panel.locator('[data-claim="c1"]')).to_contain_text("90 % sure")
        await expect(panel.locator('[data-claim="c2"]')).to_contain_text("contradicted")
        await expect(panel.locator(".contradictions")).to_contain_text("c1 against c2 on rise")
        await page.locator('.graph [data-node="later"]').click()
        await expect(panel.locator(".batch")).to_contain_text("on slow: completed, 1 of 1")
        await page.go_back()
        await expect(panel.locator("h2")).to_have_text("review")


async def test_elements_of_a_map_stand_in_the_table_and_open_like_nodes(shown: Shown, browser: Browser) -> None:
    async with opened(browser, f"{shown.site.url}/ui/#/runs/{shown.done}?view=nodes") as page:
        await page.get_by_role("button", name="each[1]").click()
        await expect(page.locator(".node-panel [aria-label=Output]")).to_have_text("4")
        await page.get_by_role("tab", name="Graph").click()
        await expect(page.get_by_role("button", name="each, done, code, 3/3")).to_be_visible()
        await expect(page.locator(".tally")).to_contain_text("6 done")


async def test_what_is_not_there_is_said_and_leads_on(shown: Shown, browser: Browser) -> None:
    async with opened(browser, f"{shown.site.url}/ui/#/runs/{shown.done}/nowhere") as page:
        await expect(page.locator(".node-panel")).to_contain_text("no such node")
        await page.get_by_label("Find a node").fill("nowhere")
        await page.get_by_label("Find a node").press("Enter")
        assert not await page.get_by_label("Find a node").evaluate("field => field.validity.valid")
        await page.goto(f"{shown.site.url}/ui/#/runs/nobody")
        await expect(page.get_by_role("alert")).to_contain_text("no such run")
        await page.get_by_role("link", name="All runs").click()
        await expect(page.locator("tbody tr")).to_have_count(2)
        await page.goto(f"{shown.site.url}/ui/#/quality?workflow=careful")
        await expect(page.locator(".quality")).to_contain_text("No answer with a known outcome")


async def test_quality_against_compute_is_drawn_with_what_nobody_knows(shown: Shown, browser: Browser) -> None:
    async with opened(browser, f"{shown.site.url}/ui/#/quality") as page:
        rows = page.locator(".quality tbody tr")
        await expect(rows.first).to_contain_text("cheap only")
        await expect(page.locator(".chart .shape")).to_have_count(await rows.count())
        await expect(page.locator(".chart .open").first).to_be_attached()


async def test_a_rule_that_asks_two_stronger_models_for_each_question_is_drawn_within_the_chart(
    serve: Serve, browser: Browser
) -> None:
    rules: list[dict[str, Json]] = [{"when": {"model": "big"}, "text": "7"}, {"text": "I cannot say."}]
    (serve.folder / "three.yaml").write_text(json.dumps({"rehearsal": 1, "rules": rules}))
    async with serve(more=[THREE], auth=anyone()) as site:
        assert (await site.rested(await site.begin("three")))["status"] == "done"
        async with opened(browser, f"{site.url}/ui/#/quality?workflow=three") as page:
            await expect(page.locator(".quality tbody")).to_contain_text("(200 %)")
            places = await page.locator(".chart .shape").evaluate_all("marks => marks.map(mark => mark.getBBox().x)")
            assert places
            assert max(places) < 640  # the width of the picture


async def test_axe_finds_nothing_on_any_page_in_light_and_dark(shown: Shown, browser: Browser) -> None:
    source = axe.script()
    views = [(f"runs/{shown.done}/review?view={view}", f"[aria-selected=true]:text-is('{view}')") for view in VIEWS]
    async with opened(browser, shown.site.url) as page:
        for place, there in (
            ("runs", "tbody tr"),
            ("start", ".choices li"),
            ("start/everything", "form textarea, form input"),
            ("quality", ".quality tbody tr"),
            (f"runs/{shown.waiting}", '.waits[data-node="send"]'),
            *views,
        ):
            await page.emulate_media(color_scheme="light")
            await page.goto(f"{shown.site.url}/ui/#/{place}")
            await expect(page.locator(there).first).to_be_visible()
            if "/review" in place:
                await expect(page.locator(".node-panel h2")).to_have_text("review")
            assert await axe.violations(page, source) == [], place
            await page.emulate_media(color_scheme="dark")
            assert await axe.violations(page, source, "color-contrast") == [], place
