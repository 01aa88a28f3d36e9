"""The pages in a real Chromium, against a real service.

`PLANLOOM_UI_SHOTS=docs pytest tests/service/test_ui.py` renews the pictures of the documentation.
"""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from browser import chromium, opened
from playwright.async_api import Browser, Page, expect
from service_support import Gate, Serve

from planloom.service import anyone

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
SHOTS = os.environ.get("PLANLOOM_UI_SHOTS")


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as found:
        yield found


async def picture(page: Page, name: str) -> None:
    if SHOTS:
        await page.screenshot(path=Path(SHOTS) / f"ui-{name}.png")


def node(page: Page, name: str, state: str) -> object:
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
