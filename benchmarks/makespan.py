"""Two chains of alternating slow and fast nodes: our scheduler beside a LangGraph graph, same sleeps, one run.

Prints each makespan as a ratio to the critical path.

    python -P benchmarks/makespan.py [--length 10] [--slow-ms 100] [--fast-ms 10] [--rounds 3]
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import TypedDict

from langgraph.graph import END, START, StateGraph

from planloom import Engine, Workflow


def delays(args: argparse.Namespace) -> dict[str, float]:
    """Return seconds by node: chain `a` starts slow, chain `b` starts fast."""
    pair = (args.slow_ms / 1000, args.fast_ms / 1000)
    return {f"{chain}{i}": pair[(i + shift) % 2] for shift, chain in enumerate("ab") for i in range(args.length)}


def before(node: str) -> str | None:
    index = int(node[1:])
    return f"{node[0]}{index - 1}" if index else None


async def nap(seconds: float, after: object = None) -> float:
    """Sleep."""
    await asyncio.sleep(seconds)
    return seconds


async def ours(seconds: dict[str, float], engine: Engine) -> float:
    nodes: dict[str, object] = {}
    for node, delay in seconds.items():
        needs = f"${{nodes.{before(node)}.output}}" if before(node) else None
        nodes[node] = {"tool": "nap", "with": {"seconds": delay, "after": needs}}
    workflow = Workflow.from_dict({"version": 1, "name": "chains", "nodes": nodes})
    result = await engine.run(workflow)
    assert result.status == "done", result.error
    return result.seconds


class State(TypedDict):
    """LangGraph's state; the nodes only sleep."""


async def langgraph(seconds: dict[str, float]) -> float:
    graph = StateGraph(State)
    for node, delay in seconds.items():

        async def step(_: State, delay: float = delay) -> State:
            await asyncio.sleep(delay)
            return State()

        graph.add_node(node, step)
        graph.add_edge(before(node) or START, node)
    for chain in "ab":
        graph.add_edge(f"{chain}{len(seconds) // 2 - 1}", END)
    app = graph.compile()
    started = time.perf_counter()
    await app.ainvoke(State(), {"recursion_limit": 1000})
    return time.perf_counter() - started


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--length", type=int, default=10)
    parser.add_argument("--slow-ms", type=float, default=100)
    parser.add_argument("--fast-ms", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    seconds = delays(args)
    critical = max(sum(value for node, value in seconds.items() if node[0] == chain) for chain in "ab")
    with tempfile.TemporaryDirectory() as folder:
        async with Engine(journal=Path(folder) / "j.db", tools={"nap": nap}) as engine:
            mine = [await ours(seconds, engine) for _ in range(args.rounds)]
    theirs = [await langgraph(seconds) for _ in range(args.rounds)]
    print(f"critical path {critical:.3f} s; makespan as a multiple of it, median of {args.rounds}")
    print(f"planloom   {statistics.median(mine) / critical:.2f}  (journaled to disk)")
    print(f"langgraph  {statistics.median(theirs) / critical:.2f}  (StateGraph, no checkpointer)")


if __name__ == "__main__":
    asyncio.run(main())
