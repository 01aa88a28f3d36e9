"""kill -9 in the middle of a vote, then resume: samples that were drawn are not asked for again."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from support import ServeModel

from planloom.core import events as ev
from planloom.core.plan import RunId
from planloom.engine import Engine
from planloom.state.journal import Journal

WORKFLOW = """
version: 1
name: killed
models: {mini: {model: "openai:mini"}}
nodes:
  count: {goal: Count, checks: [{agree: {samples: 3, quorum: 3, vary: [{method: parts}, {method: doubt}]}}]}
output: "${nodes.count.output}"
"""
SCRIPT = """
rehearsal: 1
rules:
  - {when: {attempt: 1, contains: "Take the goal apart"}, hang: true}
  - {when: {node: count}, text: "seven"}
"""
RUNNER = """
import asyncio, sys
from planloom import Engine
async def main() -> None:
    async with Engine(journal=sys.argv[2], base_url=sys.argv[3]) as engine:
        await engine.run(sys.argv[1])
asyncio.run(main())
"""


async def drawn(path: Path) -> tuple[RunId, list[int]]:
    """Return the run and the numbers of the samples that are in the journal."""
    async with Journal(path) as journal:
        run_id = RunId((await journal.runs(1))[0].run_id)
        return run_id, [e.sample for e in await journal.events(run_id) if isinstance(e, ev.SampleDrawn)]


async def test_a_killed_vote_asks_only_for_the_samples_it_does_not_have(
    serve_model: ServeModel, tmp_path: Path
) -> None:
    server = await serve_model(SCRIPT)
    workflow, path = tmp_path / "w.yaml", tmp_path / "j.db"
    workflow.write_text(WORKFLOW)
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-c", RUNNER, str(workflow), str(path), server.base_url
    )
    while len(server.requests) < 3 or len((await drawn(path))[1]) < 2:
        assert child.returncode is None
        await asyncio.sleep(0.02)
    os.kill(child.pid, signal.SIGKILL)
    await child.wait()
    run_id, samples = await drawn(path)
    assert sorted(samples) == [0, 2]
    async with Engine(journal=path, base_url=server.base_url) as engine:
        result = await engine.resume(run_id)
    assert (result.status, result.output) == ("done", "seven"), result.error
    assert len(server.requests) == 4
    assert "Take the goal apart" in str(list(server.requests)[3]["body"])
