"""How fluid the page of a large plan stays: its layout beside dagre alone, and frames while it loads, runs and moves.

python -P benchmarks/screen.py [--nodes 500]

Needs Chromium. A frame is 16.7 ms; headless Chromium paints without a graphics card, so that these are upper bounds.
"""

import argparse
import asyncio
import os
import shutil
import socket
import statistics
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx
import uvicorn
from playwright.async_api import Page, async_playwright

from planloom import Engine, Workflow
from planloom.service import anyone
from planloom.service.app import make_app

FRAME_MS = 1000 / 60
_RECORD = """
globalThis.frames_ms = [];
let last = performance.now();
const step = (now) => { frames_ms.push(now - last); last = now; requestAnimationFrame(step); };
requestAnimationFrame(step);
"""
_DAGRE = """async ({ nodes, options }) => {
  const { Graph, layout } = await import(new URL("vendor/dagre.esm.js", document.baseURI).href);
  const graph = new Graph().setGraph({ rankdir: "LR", nodesep: 18, ranksep: 56 }).setDefaultEdgeLabel(() => ({}));
  for (const { id } of nodes) graph.setNode(id, { width: 190, height: 54 });
  for (const { id, needs } of nodes) for (const need of needs) graph.setEdge(need, id);
  const began = performance.now();
  layout(graph, options);
  return performance.now() - began;
}"""
_OURS = """async ({ nodes }) => {
  const { Layout } = await import(new URL("js/layout.js", document.baseURI).href);
  const edges = nodes.flatMap(({ id, needs }) => needs.map((need) => [need, id]));
  const began = performance.now();
  await new Layout().place({ nodes: nodes.map(({ id }) => id), edges, size: { width: 190, height: 54 }, room: 1900 });
  return performance.now() - began;
}"""
_MOVE = """async () => {
  const frame = document.querySelector(".graph-scroll");
  for (let at = 0; at < 90; at++) {
    frame.scrollTo(0, ((frame.scrollHeight - frame.clientHeight) * at) / 90);
    await new Promise(requestAnimationFrame);
  }
}"""
_ZOOM = """async () => {
  for (const name of ["Zoom out", "Zoom in"]) for (let at = 0; at < 8; at++) {
    document.querySelector(`[aria-label="${name}"]`).click();
    await new Promise(requestAnimationFrame);
  }
}"""


def plan(nodes: int) -> Workflow:
    """Return a tree four wide, with an edge across here and there; each node takes some hundredths of a second."""
    tool = {"tool": "nap"}
    layers = {
        f"n{at}": {**tool, "needs": [f"n{at // 4}", *([f"n{at - 7}"] if at % 11 == 0 else [])]}
        for at in range(1, nodes)
    }
    return Workflow.from_dict({"version": 1, "name": "large", "max_parallel": 8, "nodes": {"n0": tool, **layers}})


async def nap() -> None:
    """Take a little time."""
    await asyncio.sleep(0.08)


@asynccontextmanager
async def served(workflow: Workflow) -> AsyncGenerator[str]:
    app = make_app(Engine(journal=":memory:", tools={"nap": nap}), [workflow], auth=anyone(), drain_s=0.1)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
        async with asyncio.TaskGroup() as group:
            group.create_task(server.serve([listening]))
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
            server.should_exit = True


async def frames(page: Page) -> list[float]:
    """Return the lengths of the frames since the last call."""
    taken: list[float] = await page.evaluate("globalThis.frames_ms.splice(0)")
    return taken or [0.0]


def told(what: str, taken: list[float]) -> str:
    ordered = sorted(taken)
    middle, late = statistics.median(ordered), ordered[int(0.95 * (len(ordered) - 1))]
    return f"{what:<34}{len(taken):>7}" + "".join(f"{ms / FRAME_MS:>9.1f}x" for ms in (middle, late, ordered[-1]))


async def measure(page: Page, url: str) -> None:
    async with httpx.AsyncClient(base_url=f"{url}/v1") as http:
        run_id = (await http.post("/runs", json={"workflow": "large"})).json()["run_id"]
        nodes = (await http.get("/workflows/large")).json()["graph"]
    await page.add_init_script(_RECORD)
    began = time.perf_counter()
    await page.goto(f"{url}/ui/#/runs/{run_id}")
    await page.locator(".graph [data-node]").nth(len(nodes) - 1).wait_for(state="attached")
    whole_ms = 1000 * (time.perf_counter() - began)
    lines = [told("loading, until all is drawn", await frames(page))]
    await page.wait_for_timeout(5000)
    lines.append(told("while nodes start and end", await frames(page)))
    await page.locator(".head [data-status=done]").wait_for(timeout=120_000)
    for what, script in (("moving over the graph", _MOVE), ("zooming", _ZOOM)):
        await frames(page)
        await page.evaluate(script)
        lines.append(told(what, await frames(page)))
    dagre = await page.evaluate(_DAGRE, {"nodes": nodes, "options": {}})
    ours = await page.evaluate(_OURS, {"nodes": nodes})
    print(f"{len(nodes)} nodes: dagre alone {dagre:.0f} ms, in the page's worker {ours:.0f} ms ({ours / dagre:.2f}x)")
    print(f"from the click to the whole graph: {whole_ms:.0f} ms ({whole_ms / dagre:.2f}x of dagre alone)\n")
    print(f"{'frames of 16.7 ms':<34}{'number':>7}{'median':>10}{'95 %':>10}{'longest':>10}")
    print("\n".join(lines))


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=500)
    args = parser.parse_args()
    async with served(plan(args.nodes)) as url, async_playwright() as playwright:
        path = os.environ.get("PLANLOOM_CHROMIUM") or shutil.which("chromium") or playwright.chromium.executable_path
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        await measure(await browser.new_page(viewport={"width": 1400, "height": 900}), url)
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
