"""Nodes with slack start on the cheaper lane; what past runs took decides, told here by a journal made for it."""

from pathlib import Path

import pytest
from support import MakeWorkflow, ServeModel

from planloom.configs.load import Workflow
from planloom.configs.nodes import to_nodes
from planloom.core import events as ev
from planloom.core.errors import ConfigError
from planloom.core.outcome import Usage
from planloom.core.plan import NodeId, Plan, RunId
from planloom.engine import Engine
from planloom.state.journal import Journal
from planloom.state.log import RunLog

MODELS = """
models:
  mini: {model: "openai:mini", price: {input: 1, output: 1}}
  flex: {model: "openai:flex", price: {input: 0.5, output: 0.5}}
  big: {model: "openai:big", price: {input: 10, output: 10}}
ladder: [mini, big]
"""
BODY = """
route: {retry: 0, lanes: {mini: {use: flex, slower: 2}}}
nodes:
  long: {goal: Take long}
  side: {goal: Be quick, checks: [{expr: output == 'ok'}]}
  join: {goal: Join, with: {a: "${nodes.long.output}", b: "${nodes.side.output}"}}
output: "${nodes.join.output}"
"""
SCRIPT = "rehearsal: 1\nrules: [{text: ok}]\n"
TOOK = {"long": 10.0, "side": 4.0, "join": 1.0}


async def remember(path: Path, workflow: Workflow, took: dict[str, float]) -> None:
    """Write a past run down in which each node took so many seconds."""
    nodes = to_nodes(workflow.spec.nodes)
    run_id = RunId("past")
    async with Journal(path) as journal:
        await journal.take(run_id)
        log = RunLog(journal, run_id)
        log.note(
            ev.RunStarted(at=1.0, run_id=run_id, name="test", workflow={}, base_dir="/", inputs={}, rehearsal=True)
        )
        log.note(ev.PlanReady(at=1.0, plan=Plan(version=1, nodes=nodes), purpose="plan"))
        for name, seconds in took.items():
            node_id, call = NodeId(name), f"call {name}"
            began = ev.AttemptStarted(at=1.0, node_id=node_id, attempt=1, rung="mini", plan_version=1, input_digest="")
            log.note(began)
            usage = Usage(input_tokens=9, output_tokens=9, calls=1)
            log.note(
                ev.CallEnded(
                    call_id=call, node_id=node_id, attempt=1, rung="mini", model="m", usage=usage, cost_usd=1, seconds=1
                )
            )
            log.note(ev.AttemptEnded(at=1.0 + seconds, node_id=node_id, attempt=1, seconds=seconds))
        log.note(ev.RunEnded(at=20.0, status="done", output=None))
        await journal.commit(run_id)
        await journal.release(run_id)


async def test_only_the_node_with_slack_starts_on_the_lane(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    server, workflow = await serve_model(SCRIPT), make_workflow(BODY, models=MODELS)
    await remember(tmp_path / "j.db", workflow, TOOK)
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        result = await engine.run(workflow)
    assert result.status == "done", result.error
    assert {name: server.models(name) for name in TOOK} == {"long": ["mini"], "side": ["flex"], "join": ["mini"]}


async def test_a_failure_on_the_lane_goes_to_the_usual_rung_and_on_up_the_ladder(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    server = await serve_model("rehearsal: 1\nrules: [{when: {node: side}, text: no}, {text: ok}]\n")
    workflow = make_workflow(BODY, models=MODELS)
    await remember(tmp_path / "j.db", workflow, TOOK)
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        await engine.run(workflow)
    assert server.models("side") == ["flex", "mini", "big"]


@pytest.mark.parametrize("took", [{}, {**TOOK, "side": 8.0}])
async def test_without_known_times_or_without_slack_nobody_does(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path, took: dict[str, float]
) -> None:
    server, workflow = await serve_model(SCRIPT), make_workflow(BODY, models=MODELS)
    await remember(tmp_path / "j.db", workflow, took)
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        await engine.run(workflow)
    assert "flex" not in {str(request["model"]) for request in server.requests}


def test_a_lane_names_rungs(make_workflow: MakeWorkflow) -> None:
    with pytest.raises(ConfigError, match=r"route\.lanes\.mini\.use: expected a name from models"):
        make_workflow(BODY.replace("use: flex", "use: flux"), models=MODELS)
