"""What a node costs besides its work: CPU a node over plans of growing size, journal on disk beside memory.

python -P benchmarks/overhead.py [--sizes 125 250 500 1000]
"""

import argparse
import asyncio
import random
import tempfile
import time
from pathlib import Path

from planloom import Engine, Workflow
from planloom.core.outcome import Usage
from planloom.models.base import Reply, Request


async def instant(_: Request) -> Reply:
    """Answer at once."""
    return Reply(text="ok", finish="stop", usage=Usage(input_tokens=1, output_tokens=1, calls=1), model="instant")


def plan(size: int) -> Workflow:
    """Return a ragged random graph: each node reads up to two of the fifty before it."""
    draw = random.Random(size)
    nodes: dict[str, object] = {}
    for index in range(size):
        reads = [draw.randrange(max(0, index - 50), index) for _ in range(draw.randint(0, 2))] if index else []
        nodes[f"n{index}"] = {
            "goal": f"node {index}",
            "with": {f"x{i}": f"${{nodes.n{read}.output}}" for i, read in enumerate(reads)},
        }
    models = {"mini": {"model": "openai:instant", "max_parallel": 64}}
    return Workflow.from_dict({"version": 1, "name": f"n{size}", "models": models, "max_parallel": 64, "nodes": nodes})


async def cpu_ms_a_node(workflow: Workflow, journal: str) -> float:
    async with Engine(journal=journal, models={"mini": instant}, base_url="http://127.0.0.1:9/v1") as engine:
        await engine.run(workflow)
        started = time.process_time()
        result = await engine.run(workflow)
        assert result.status == "done", result.error
        return (time.process_time() - started) * 1000 / len(result.nodes)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[125, 250, 500, 1000])
    args = parser.parse_args()
    print(f"{'nodes':>6} {'disk, CPU ms a node':>20} {'memory':>8} {'disk over memory':>17}")
    first = 0.0
    for size in args.sizes:
        with tempfile.TemporaryDirectory() as folder:
            disk = await cpu_ms_a_node(plan(size), str(Path(folder) / "j.db"))
        memory = await cpu_ms_a_node(plan(size), ":memory:")
        first = first or disk
        print(f"{size:>6} {disk:>20.2f} {memory:>8.2f} {disk / memory:>16.2f}x")
    print(f"growth of the cost a node from {args.sizes[0]} to {args.sizes[-1]} nodes: {disk / first:.2f}x")


if __name__ == "__main__":
    asyncio.run(main())
