"""Planloom from Python: async functions as models, a Python function as a tool, no key and no network.

Run with `python examples/python/run.py`. The two models are stand-ins that answer from what they are given; put a call
to your own client, or a LangChain chat model, in their place.
"""

import asyncio
import json
import re

from planloom import Engine, RunResult, Workflow
from planloom.models.base import Request

WORKFLOW = """
version: 1
name: fastest
models: {mini: {model: "openai:any"}, big: {model: "openai:any"}}    # both are passed in from Python
nodes:
  laps:
    tool: laps
    with: {track: river loop}
  best:
    goal: Say in one sentence who ran the fastest lap, and in how many seconds.
    with: {laps: "${nodes.laps.output}"}
    checks:
      - expr: str(min([lap.seconds for lap in laps])) in output
        message: The sentence must state the smallest number of seconds.
route: {retry: 0, promote: true}
output: "${nodes.best.output}"
"""


def laps(track: str) -> list[dict[str, str | float]]:
    """Return the laps run on a track today."""
    runners = {"Ada": 61.4, "Ben": 58.9, "Cleo": 59.2}
    return [{"runner": name, "seconds": seconds, "track": track} for name, seconds in runners.items()]


def given(request: Request) -> list[dict[str, str | float]]:
    """Return the node's input `laps`, which stands as JSON in the first user message."""
    block = re.search(r"# Inputs\n```json\n(.*?)\n```", request.messages[1].text, re.DOTALL)
    return json.loads(block[1])["laps"] if block else []


async def mini(request: Request) -> str:
    """A model in a hurry: it takes the first lap for the fastest."""
    lap = given(request)[0]
    return f"{lap['runner']} ran the fastest lap, in {lap['seconds']} s."


async def big(request: Request) -> str:
    """A model that looks at all laps."""
    lap = min(given(request), key=lambda lap: lap["seconds"])
    return f"{lap['runner']} ran the fastest lap, in {lap['seconds']} s."


async def main(journal: str = ":memory:") -> RunResult:
    """Run the workflow and say what happened."""
    async with Engine(journal=journal, models={"mini": mini, "big": big}, tools={"laps": laps}) as engine:
        result = await engine.run(Workflow.from_text(WORKFLOW))
    for node in result.nodes.values():
        for attempt in node.attempts:
            print(f"{node.id} by {attempt.rung or 'the tool'}: {'passed' if attempt.ok else attempt.message}")
    print(f"{result.status}: {result.output}")
    return result


if __name__ == "__main__":
    asyncio.run(main())
