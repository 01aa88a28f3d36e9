"""The form of a workflow's inputs, whatever their schema, and what the workflow would do with them."""

import json
from typing import Any

import pytest
from browser import opened
from playwright.async_api import Browser, Page, expect
from service_support import Serve

from planloom.core.json import Json
from planloom.service import anyone

pytestmark = pytest.mark.asyncio(loop_scope="session")
GEO: dict[str, Json] = {
    "lat": {"type": "number", "minimum": -90, "maximum": 90},
    "sea": {"type": "boolean"},
}
INPUTS: dict[str, Json] = {
    "text": {"type": "string", "default": "a\nlong\ntext\nof\nfive lines"},
    "level": {"type": "integer", "enum": [1, 2, 3]},
    "names": {"type": "array", "items": {"type": "string"}, "default": ["Ann", "Bob"]},
    "place": {
        "type": "object",
        "properties": {"street": {"type": "string"}, "geo": {"type": "object", "properties": GEO}},
    },
    "rows": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"size": {"type": "integer"}, "kind": {"enum": ["x", "y"]}},
            "required": ["size"],
        },
    },
    "any": {"type": "object", "default": {"free": [1]}},
}
ASKED: dict[str, Json] = {name: f"${{inputs.{name}}}" for name in INPUTS}
FORM = json.dumps(
    {
        "version": 1,
        "name": "form",
        "inputs": INPUTS,
        "nodes": {"all": {"code": "x", "with": {"x": ASKED}}},
        "output": "${nodes.all.output}",
    }
)
PRICED = """
version: 1
name: priced
models: {mini: {model: "rehearsal:mini", script: none.yaml, price: {input: 5, output: 20}}}
nodes:
  gather: {goal: Collect what is known.}
  count: {code: "len(text)", with: {text: "${nodes.gather.output}"}, approve: true}
"""


async def started(page: Page) -> dict[str, Any]:
    """Start the run, and return the inputs that were sent."""
    async with page.expect_request(lambda sent: sent.method == "POST" and sent.url.endswith("/runs")) as sent:
        await page.get_by_role("button", name="Start").click()
    body: dict[str, Any] = (await sent.value).post_data_json
    inputs: dict[str, Any] = body["inputs"]
    return inputs


async def test_objects_in_objects_lists_and_choices_have_fields_of_their_own(serve: Serve, browser: Browser) -> None:
    async with serve(more=[FORM], auth=anyone()) as site, opened(browser, f"{site.url}/ui/#/start/form") as page:
        await page.get_by_label("level").select_option(label="2")
        await page.get_by_label("names 2").fill("Ben")
        await page.get_by_role("button", name="Add to names").click()
        await expect(page.get_by_label("names 3")).to_be_focused()
        await page.keyboard.type("Cleo")
        await page.get_by_role("button", name="Remove").first.click()
        await expect(page.get_by_label("names 3")).to_have_count(0)
        await page.get_by_label("street").fill("Low Road 1")
        await page.get_by_label("lat").fill("-33.9")
        await page.get_by_label("sea").select_option(label="no")
        await page.get_by_role("button", name="Add to rows").click()
        await page.get_by_label("size").fill("7")
        assert await started(page) == {
            "text": "a\nlong\ntext\nof\nfive lines",
            "level": 2,
            "names": ["Ben", "Cleo"],
            "place": {"street": "Low Road 1", "geo": {"lat": -33.9, "sea": False}},
            "rows": [{"size": 7}],
            "any": {"free": [1]},
        }
        await expect(page.locator(".head [data-status=done]")).to_be_visible()


async def test_a_text_with_a_default_can_be_emptied_and_what_is_left_out_is_not_sent(
    serve: Serve, browser: Browser
) -> None:
    async with serve(more=[FORM], auth=anyone()) as site, opened(browser, f"{site.url}/ui/#/start/form") as page:
        await page.get_by_label("level").select_option(label="1")
        await page.get_by_label("text").fill("")
        await page.get_by_label("any").fill("")
        for name in ("Remove", "Remove"):
            await page.get_by_role("button", name=name).first.click()
        assert await started(page) == {"text": "", "level": 1, "names": [], "place": {}, "rows": []}


async def test_what_is_wrong_is_said_at_its_field_which_gets_the_focus(serve: Serve, browser: Browser) -> None:
    async with serve(more=[FORM], auth=anyone()) as site, opened(browser, f"{site.url}/ui/#/start/form") as page:
        start = page.get_by_role("button", name="Start")
        await page.get_by_label("level").select_option(label="1")
        await page.get_by_label("lat").fill("91")
        await start.click()
        assert not await page.get_by_label("lat").evaluate("field => field.validity.valid")
        await page.locator("form").evaluate("form => form.noValidate = true")  # so that the service says it
        await page.get_by_role("button", name="Add to rows").click()
        await start.click()
        await expect(page.get_by_label("lat")).to_be_focused()
        await expect(page.locator(".field", has=page.get_by_label("lat")).last).to_contain_text("maximum")
        await expect(page.locator("fieldset", has=page.get_by_label("size")).last).to_contain_text("required")
        await page.get_by_label("lat").fill("9")
        await page.get_by_label("size").fill("1")
        await page.get_by_label("any").fill("{free")
        await start.click()
        await expect(page.get_by_label("any")).to_be_focused()
        await expect(page.locator(".problem:not(:empty)")).to_have_count(1)


async def test_what_a_workflow_would_do_is_a_table_with_calls_and_cost(serve: Serve, browser: Browser) -> None:
    (serve.folder / "none.yaml").write_text("{rehearsal: 1, rules: []}")
    async with serve(more=[PRICED], auth=anyone()) as site, opened(browser, f"{site.url}/ui/#/start/priced") as page:
        await page.get_by_role("button", name="What would it do?").click()
        rows = page.locator(".explained tbody tr")
        await expect(rows).to_have_count(2)
        await expect(rows.first).to_contain_text("Collect what is known.")
        await expect(rows.first).to_contain_text("mini")
        await expect(rows.last).to_contain_text("waits for approval")
        await expect(rows.last).to_contain_text("gather")
        await expect(page.locator(".explained tfoot")).to_contain_text("$")
