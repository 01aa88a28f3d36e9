"""What people do on the pages to runs that wait, fail or were cut off: answers of every kind, cancel, resume."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from browser import opened
from playwright.async_api import Browser, Page, expect
from programs import begin
from service_support import Gate, Serve, settled
from support import WAIT_S

from planloom import Engine, Workflow, tool
from planloom.core.json import Json
from planloom.service import anyone

pytestmark = pytest.mark.asyncio(loop_scope="session")
MODEL = """
version: 1
name: {name}
models: {{mini: {{model: "rehearsal:mini", script: {name}.yaml, price: {{input: 5, output: 20}}}}}}
"""
PLAN: dict[str, Json] = {
    "gather": {"goal": "Collect what is known."},
    "write": {"goal": "Write it up.", "with": {"notes": "${nodes.gather.output}"}},
}
PLANNED = MODEL.format(name="planned") + "planner: {approve: plan}\n"
ASKED = MODEL.format(name="asked") + "route: {then: ask}\nnodes: {letter: {goal: Write the letter.}}\n"
HELD = MODEL.format(name="held") + "nodes: {letter: {goal: Write the letter., checks: [{expr: len(output) > 2}]}}\n"
DOUBTFUL = "{version: 1, name: doubtful, nodes: {letter: {tool: send, with: {text: hi}}}}"
SCRIPTS: dict[str, list[dict[str, Json]]] = {
    "planned": [{"when": {"role": "planner"}, "json": {"nodes": PLAN}}, {"text": "It rains."}],
    "asked": [
        {"when": {"contains": "A person answered: To Ada."}, "text": "Dear Ada"},
        {"text": "CANNOT question: To whom is it addressed?"},
    ],
    "held": [{"when": {"node": "letter", "attempt": [1]}, "hang": True}, {"text": "Dear Ada"}],
}
KILLED = """
import asyncio, sys
from planloom import Engine, Workflow
async def main():
    async with Engine(journal=sys.argv[1]) as engine:
        handle = await engine.submit(Workflow.from_yaml(sys.argv[2]))
        async for event in handle.events():
            if type(event).__name__ == "CallStarted":
                while type((await engine.history(handle.run_id))[-1]).__name__ != "CallStarted":
                    await asyncio.sleep(0.01)  # it is seen a moment before it is written
                print(handle.run_id, flush=True)
asyncio.run(main())
"""


@asynccontextmanager
async def looked_at(serve: Serve, browser: Browser, workflow: str) -> AsyncGenerator[Page]:
    """Start a run of a workflow and open its page."""
    for name, rules in SCRIPTS.items():
        (serve.folder / f"{name}.yaml").write_text(json.dumps({"rehearsal": 1, "rules": rules}))
    async with serve(more=[PLANNED, ASKED, HELD], auth=anyone()) as site:
        async with httpx.AsyncClient(base_url=f"{site.url}/v1", timeout=WAIT_S) as http:
            run_id = (await http.post("/runs", json={"workflow": workflow})).json()["run_id"]
        async with opened(browser, f"{site.url}/ui/#/runs/{run_id}") as page:
            yield page


async def stands(page: Page, status: str) -> None:
    await expect(page.locator(f".head [data-status={status}]")).to_be_visible()


async def test_a_plan_is_read_and_approved_before_anything_runs(serve: Serve, browser: Browser) -> None:
    async with looked_at(serve, browser, "planned") as page:
        card = page.locator('.waits[data-node="plan"]')
        await expect(card.locator(".plan-nodes li")).to_have_count(2)
        await expect(card).to_contain_text("Collect what is known.")
        await expect(page.locator(".tally")).to_have_text("○ 2 pending")
        await card.get_by_role("button", name="Approve").click()
        await stands(page, "done")
        await expect(page.locator(".result")).to_contain_text("It rains.")
        await expect(card).to_have_count(0)


async def test_a_plan_is_rejected_with_a_reason_that_stays_on_record(serve: Serve, browser: Browser) -> None:
    async with looked_at(serve, browser, "planned") as page:
        await page.get_by_label("Note or reason").fill("Too dear.")
        await page.get_by_role("button", name="Reject").click()
        await stands(page, "failed")
        await expect(page.get_by_role("alert").first).to_contain_text("a human rejected the plan")
        await page.get_by_role("tab", name="Decisions").click()
        await expect(page.locator(".decisions li", has_text="rejected the plan")).to_contain_text("Too dear.")


async def test_a_question_is_answered_in_words_and_not_without_any(serve: Serve, browser: Browser) -> None:
    async with looked_at(serve, browser, "asked") as page:
        card = page.locator('.waits[data-node="letter"]')
        await expect(card).to_contain_text("To whom is it addressed?")
        await card.get_by_role("button", name="Answer", exact=True).click()
        assert not await card.get_by_label("Answer").evaluate("field => field.validity.valid")
        await card.get_by_label("Answer").fill("To Ada.")
        await card.get_by_role("button", name="Answer", exact=True).click()
        await stands(page, "done")
        await expect(page.locator(".result")).to_contain_text("Dear Ada")


async def test_what_waits_by_now_is_shown_when_somebody_else_was_faster(serve: Serve, browser: Browser) -> None:
    async with looked_at(serve, browser, "careful") as page:
        button = page.locator('.waits[data-node="send"]').get_by_role("button", name="Reject")
        await button.wait_for()
        await page.route("**/approve", lambda route: route.continue_(post_data=told("stale", route.request.post_data)))
        await button.click()
        await expect(page.locator(".waits .problem")).to_contain_text("Something else waits by now")
        await page.unroute("**/approve")
        await button.click()
        await stands(page, "failed")
        await expect(page.locator('.graph [data-node="send"][data-state="failed"]')).to_be_visible()


def told(digest: str, body: str | None) -> str:
    """Return an answer to something else."""
    answers = json.loads(body or "")["answers"]
    return json.dumps({"answers": [{**answer, "bound_to": digest} for answer in answers]})


async def test_a_run_is_cancelled_and_taken_up_again_and_followed_to_its_end(
    serve: Serve, gate: Gate, browser: Browser
) -> None:
    async with looked_at(serve, browser, "gated") as page:
        await expect(page.locator('.graph [data-node="wait"][data-state="running"]')).to_be_visible()
        await page.get_by_role("button", name="Cancel").click()
        await stands(page, "cancelled")
        await page.get_by_role("button", name="Resume").click()
        await expect(page.locator('.graph [data-node="wait"][data-state="running"]')).to_be_visible()
        gate.open.set()
        await stands(page, "done")
        await expect(page.locator(".result")).to_contain_text("42")
        await page.get_by_role("tab", name="Decisions").click()
        await expect(page.locator(".decisions")).to_contain_text("taken up again")
        await expect(page.get_by_role("button", name="Resume")).to_have_count(0)


async def test_a_run_whose_process_was_killed_says_so_and_goes_on(
    serve: Serve, browser: Browser, tmp_path: Path
) -> None:
    (tmp_path / "held.yaml").write_text(json.dumps({"rehearsal": 1, "rules": SCRIPTS["held"]}))
    (tmp_path / "flow.yaml").write_text(HELD)
    program = begin(KILLED, "runs.db", "flow.yaml", folder=tmp_path)
    while not (run_id := program.out.strip()):
        assert program.code is None, program.err
        await asyncio.sleep(0.02)
    await program.kill()
    async with serve(auth=anyone()) as site, opened(browser, f"{site.url}/ui/#/runs/{run_id}") as page:
        await stands(page, "interrupted")
        await page.get_by_role("button", name="Resume").click()
        await stands(page, "done")
        await expect(page.locator(".result")).to_contain_text("Dear Ada")


async def test_a_write_in_doubt_is_said_to_have_happened_and_not_made_again(
    serve: Serve, browser: Browser, tmp_path: Path
) -> None:
    sent = asyncio.Event()
    letters: list[str] = []

    @tool(effect="write")
    async def send(text: str) -> str:
        """Send a letter, and never hear that it arrived."""
        letters.append(text)
        sent.set()
        await asyncio.Event().wait()
        return "sent"

    serve.tools["send"] = send
    async with Engine(journal=tmp_path / "runs.db", tools={"send": send}) as engine:
        handle = await engine.submit(Workflow.from_text(DOUBTFUL))
        await sent.wait()
        await handle.cancel()
    async with serve(auth=anyone()) as site, opened(browser, f"{site.url}/ui/#/runs/{handle.run_id}") as page:
        await page.get_by_role("button", name="Resume").click()
        card = page.locator('.waits[data-node="letter"]')
        await expect(card).to_contain_text('"text": "hi"')
        await card.locator("summary", has_text="It did happen").click()
        await card.get_by_label("as JSON").fill("posted")
        await card.get_by_role("button", name="Take it as done").click()
        await expect(card.get_by_role("alert")).to_contain_text("must be JSON")
        await card.get_by_label("as JSON").fill('"posted"')
        await card.get_by_role("button", name="Take it as done").click()
        await stands(page, "done")
        await expect(page.locator(".result")).to_contain_text("posted")
        assert letters == ["hi"]
        async with httpx.AsyncClient(base_url=f"{site.url}/v1", timeout=WAIT_S) as http:
            assert (await settled(http, handle.run_id))["output"] == "posted"
