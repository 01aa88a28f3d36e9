"""The picture of a plan: what is alike side by side, nothing over anything else, whatever the plan."""

import itertools
import json
import random
from collections.abc import Mapping

import pytest
from browser import opened
from playwright.async_api import Browser, Page, expect
from service_support import Serve, Site

from planloom.core.json import Json
from planloom.service import anyone

pytestmark = pytest.mark.asyncio(loop_scope="session")
Needs = Mapping[str, tuple[str, ...]]
"""What each node stands behind."""

FAULTS = """async (plans) => {
  const { arranged } = await import(new URL("js/arrange.js", document.baseURI).href);
  const over = (a, b) =>
    Math.abs(a.x - b.x) < (a.width + b.width) / 2 - 0.5 && Math.abs(a.y - b.y) < (a.height + b.height) / 2 - 0.5;
  const faults = [];
  for (const { needs, room } of plans) {
    const ids = Object.keys(needs);
    const edges = ids.flatMap((id) => needs[id].map((need) => [need, id]));
    const question = { nodes: ids, edges, size: { width: 190, height: 54 }, room };
    const { nodes, blocks, lines, width, height } = arranged(question);
    const home = new Map(blocks.flatMap(({ id, ids }) => ids.map((node) => [node, id])));
    const drawn = new Set(lines.map(({ from, to }) => `${from} ${to}`));
    const told = (fault) => faults.push(`${fault} in ${JSON.stringify(needs)}`);
    if (nodes.map(({ id }) => id).sort().join() !== [...ids].sort().join()) told("not each node once");
    if (nodes.some(({ x, y }) => x < 95 || y < 27 || x > width - 95 || y > height - 27)) told("outside of the picture");
    const boxes = [...nodes, ...blocks];
    boxes.forEach((one, at) => {
      for (const other of boxes.slice(at + 1))
        if (over(one, other) && home.get(one.id) !== other.id) told(`${one.id} over ${other.id}`);
    });
    for (const [from, to] of edges)
      if (!drawn.has(`${from} ${to}`) && !drawn.has(`${home.get(from) ?? from} ${home.get(to) ?? to}`))
        told(`no line from ${from} to ${to}`);
  }
  return faults;
}"""
PLACES = """() => [...document.querySelectorAll(".graph [data-node]")].map((node) => node.getBoundingClientRect())
  .map(({ left, top }) => [Math.round(left), Math.round(top)])"""
TOO_WIDE = "(box => box.scrollWidth - box.clientWidth)(document.querySelector('.graph-scroll'))"


def fan(width: int, steps: int = 1) -> Needs:
    """Return a plan that splits into chains, and gathers what they found."""
    chains = {
        f"n{chain}_{step}": (f"n{chain}_{step - 1}" if step else "split",)
        for chain, step in itertools.product(range(width), range(steps))
    }
    return {"split": (), **chains, "gather": tuple(f"n{chain}_{steps - 1}" for chain in range(width))}


def any_plan(chance: random.Random) -> Needs:
    """Return a plan of up to 60 nodes, each of which stands behind up to three before it."""
    ids = [f"n{at}" for at in range(chance.randint(1, 60))]
    return {
        node: tuple(chance.sample(ids[:at], min(at, chance.choice((0, 1, 1, 1, 2, 3))))) for at, node in enumerate(ids)
    }


def workflow(needs: Needs) -> str:
    nodes: dict[str, Json] = {name: {"code": "1", "needs": [*before]} for name, before in needs.items()}
    return json.dumps({"version": 1, "name": "wide", "nodes": nodes})


async def look_at(page: Page, site: Site, needs: Needs) -> None:
    """Look at a run that is done."""
    run_id = await site.begin("wide")
    assert (await site.rested(run_id))["status"] == "done"
    await page.goto(f"{site.url}/ui/#/runs/{run_id}")
    await expect(page.locator(".graph [data-node]")).to_have_count(len(needs))


async def test_nodes_that_are_alike_stand_in_a_grid_that_fits_the_width(serve: Serve, browser: Browser) -> None:
    needs = fan(60)
    async with serve(more=[workflow(needs)], auth=anyone()) as site, opened(browser, site.url, width=1440) as page:
        await look_at(page, site, needs)
        places = {(left, top) for left, top in await page.evaluate(PLACES)}
        columns, rows = {left for left, _ in places}, {top for _, top in places}
        assert len(places) == len(needs)
        assert len(columns) > 5
        assert len(rows) < 20
        assert await page.evaluate(TOO_WIDE) < 2
        await expect(page.locator(".edge")).to_have_count(2)
        await expect(page.locator(".edge.critical")).to_have_count(2)  # through the block of the node that took longest
        await page.locator('.graph [data-node="split"]').focus()
        await page.keyboard.press("ArrowRight")
        await page.keyboard.press("Enter")
        await expect(page.locator(".node-panel h2")).to_contain_text("n")
        await expect(page.locator('.graph [aria-pressed="true"] rect.mark')).to_be_attached()


async def test_whatever_the_plan_nothing_stands_over_anything_else(serve: Serve, browser: Browser) -> None:
    chance = random.Random(9)
    fans = [fan(width, steps) for width, steps in ((2, 1), (6, 2), (7, 1), (40, 3), (130, 2))]
    plans = [*fans, *(any_plan(chance) for _ in range(40))]
    async with serve(auth=anyone()) as site, opened(browser, site.url) as page:
        asked = [{"needs": plan, "room": room} for plan in plans for room in (480, 1900)]
        assert await page.evaluate(FAULTS, asked) == []


async def test_a_long_chain_goes_downwards_and_what_is_in_the_middle_stays_there_when_it_is_zoomed(
    serve: Serve, browser: Browser
) -> None:
    needs: Needs = {f"n{at}": (f"n{at - 1}",) if at else () for at in range(40)}
    async with serve(more=[workflow(needs)], auth=anyone()) as site, opened(browser, site.url, width=1440) as page:
        await look_at(page, site, needs)
        assert await page.evaluate(TOO_WIDE) < 2
        await page.get_by_label("Find a node").fill("n30")
        await page.get_by_label("Find a node").press("Enter")
        for name in ("Zoom in", "Zoom in", "Zoom in", "Zoom out"):
            await page.get_by_role("button", name=name).click()
            await expect(page.locator('.graph [data-node="n30"]')).to_be_in_viewport()
