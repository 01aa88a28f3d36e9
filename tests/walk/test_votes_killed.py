"""kill -9 in the middle of a vote, then resume: samples that were drawn are not asked for again."""

import asyncio
from pathlib import Path

from programs import RUNNER, begin
from support import ModelServer, ServeModel

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


PLANNED = """
version: 1
name: killed
models: {mini: {model: "openai:mini"}, other: {model: "openai:other"}}
planner: {model: mini, agree: {vary: [{model: other}]}}
"""
PLANNERS = """
rehearsal: 1
rules:
  - {when: {role: planner, model: other}, times: 1, hang: true}
  - {when: {role: planner, model: mini}, json: {nodes: [{id: mine, goal: Count}], output: "${nodes.mine.output}"}}
  - {when: {role: planner, model: other}, json: {nodes: [{id: theirs, goal: Tell how many}]}}
  - {text: "seven"}
"""


async def drawn(path: Path) -> tuple[RunId, list[int]]:
    """Return the run and the numbers of the samples that are in the journal."""
    async with Journal(path) as journal:
        run_id = RunId((await journal.runs(1))[0].run_id)
        events = await journal.events(run_id)
        return run_id, [e.sample for e in events if isinstance(e, ev.SampleDrawn | ev.PlanDrafted)]


async def killed(server: ModelServer, workflow: str, folder: Path, *, asked: int, kept: int) -> tuple[RunId, list[int]]:
    """Kill a run when so many calls were made and so many samples are journaled; return it and their numbers."""
    file, path = folder / "w.yaml", folder / "j.db"
    file.write_text(workflow)
    child = begin(RUNNER, str(file), str(path), server.base_url, folder=folder)
    while len(server.requests) < asked or len((await drawn(path))[1]) < kept:
        assert child.code is None
        await asyncio.sleep(0.02)
    await child.kill()
    return await drawn(path)


async def test_a_killed_vote_asks_only_for_the_samples_it_does_not_have(
    serve_model: ServeModel, tmp_path: Path
) -> None:
    server = await serve_model(SCRIPT)
    run_id, samples = await killed(server, WORKFLOW, tmp_path, asked=3, kept=2)
    assert sorted(samples) == [0, 2]
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        result = await engine.resume(run_id)
    assert (result.status, result.output) == ("done", "seven"), result.error
    assert len(server.requests) == 4
    assert "Take the goal apart" in str(list(server.requests)[3]["body"])


async def test_a_killed_comparison_of_plans_asks_only_the_planner_whose_plan_it_does_not_have(
    serve_model: ServeModel, tmp_path: Path
) -> None:
    server = await serve_model(PLANNERS)
    run_id, plans = await killed(server, PLANNED, tmp_path, asked=2, kept=1)
    assert plans == [0]
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        result = await engine.resume(run_id)
    assert (result.status, result.output) == ("done", "seven"), result.error
    assert [request["model"] for request in server.requests if request["role"] == "planner"].count("mini") == 1
    assert [request["model"] for request in list(server.requests)[2:] if request["role"] == "planner"] == ["other"]
    assert set(result.nodes) == {"mine"}
