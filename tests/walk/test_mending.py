"""A run goes on under a corrected workflow; nothing it has earned under the same words is earned again."""

import json
from pathlib import Path

import pytest
from support import MakeWorkflow, ServeModel

from planloom.configs.load import Workflow
from planloom.core.errors import ConfigError, RunError
from planloom.core.events import PlanReady, WorkflowMended
from planloom.engine import Engine

SCRIPT = """
rehearsal: 1
rules: [{when: {node: first}, text: one}, {when: {node: second}, text: two}, {when: {node: third}, text: three}]
"""
THREE = """
route: {then: stop}
inputs: {about: {type: string}}
nodes:
  first: {goal: "Look at ${inputs.about}"}
  second: {goal: "Go on from ${nodes.first.output}"}
  third: {goal: "End with ${nodes.second.output}", checks: [{expr: "output == 'four'"}]}
output: "${nodes.third.output}"
"""


async def failed_run(engine: Engine, workflow: Workflow) -> str:
    result = await engine.run(workflow, {"about": "it"})
    assert result.status == "failed"
    return result.run_id


async def test_only_what_is_not_done_under_the_same_words_is_done_under_a_corrected_workflow(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    server = await serve_model(SCRIPT)
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        run_id = await failed_run(engine, make_workflow(THREE))
        before = len(server.nodes())
        mended = make_workflow(THREE.replace("'four'", "'three'"))
        result = await engine.resume(run_id, workflow=mended)
        events = await engine.history(run_id)
        again = await engine.view(run_id)
    assert (result.status, result.output) == ("done", "three")
    assert server.nodes()[before:] == ["third"]
    assert [event.workflow for event in events if isinstance(event, WorkflowMended)] == [mended.to_json()]
    assert [(e.purpose, e.plan.version) for e in events if isinstance(e, PlanReady)] == [("plan", 1), ("mend", 2)]
    assert again.workflow == mended.to_json()


async def test_a_node_that_was_done_is_done_again_when_its_words_change_and_what_is_behind_it_only_if_it_must(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    server = await serve_model(SCRIPT)
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        run_id = await failed_run(engine, make_workflow(THREE))
        before = len(server.nodes())
        mended = THREE.replace("'four'", "'three'").replace("Look at", "Look closely at")
        result = await engine.resume(run_id, workflow=make_workflow(mended))
    assert (result.status, result.output) == ("done", "three")
    assert server.nodes()[before:] == ["first", "third"]  # the same answer as before: `second` had it already


async def test_inputs_that_are_new_take_their_defaults_and_those_that_are_gone_are_dropped(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    server = await serve_model(SCRIPT)
    last = '  third: {goal: "End with ${nodes.second.output}", code: "f\'{tone}!\'", with: {tone: "${inputs.tone}"}}\n'
    renamed = THREE.replace("{about: {type: string}}", "{tone: {type: string, default: calm}}").replace(
        "Look at ${inputs.about}", "Look at it"
    )
    head, _, _ = renamed.partition("  third:")
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        run_id = await failed_run(engine, make_workflow(THREE))
        result = await engine.resume(run_id, workflow=make_workflow(head + last + 'output: "${nodes.third.output}"\n'))
        view = await engine.view(run_id)
    assert (result.status, result.output, dict(view.inputs)) == ("done", "calm!", {"tone": "calm"})


@pytest.mark.parametrize(
    ("wrong", "error", "told"),
    [
        (('"name": "test"', '"name": "other"'), RunError, "is of workflow 'test'; .* is 'other'"),
        (("${nodes.second.output}", "${nodes.secnd.output}"), ConfigError, "did you mean 'second'"),
        (('{"type": "string"}', '{"type": "integer"}'), ConfigError, "inputs.about"),
    ],
)
async def test_a_workflow_that_cannot_take_the_runs_place_changes_nothing(
    serve_model: ServeModel,
    make_workflow: MakeWorkflow,
    tmp_path: Path,
    wrong: tuple[str, str],
    error: type[Exception],
    told: str,
) -> None:
    server = await serve_model(SCRIPT)
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        run_id = await failed_run(engine, make_workflow(THREE))
        before = len(await engine.history(run_id))
        written = json.dumps(make_workflow(THREE).to_json()).replace(*wrong)
        broken = Workflow.from_text(written, base_dir=tmp_path, env={})
        with pytest.raises(error, match=told):
            await engine.resume(run_id, workflow=broken)
        assert len(await engine.history(run_id)) == before
        mended = make_workflow(THREE.replace("'four'", "'three'"))
        assert (await engine.resume(run_id, workflow=mended)).status == "done"
        with pytest.raises(RunError, match="is done"):
            await engine.resume(run_id, workflow=mended)


async def test_a_plan_of_the_planners_stays_under_a_corrected_workflow_that_still_offers_what_it_uses(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    plan = (
        '{"nodes": [{"id": "sum", "tool": "py", "with": {"code": "1 / zero"}}], "output": "${nodes.sum.output.value}"}'
    )
    server = await serve_model(f"rehearsal: 1\nrules: [{{when: {{role: planner}}, text: '{plan}'}}]\n")
    body = "tools: {py: {python: {}}}\nplan: auto\nplanner: {model: big}\ninputs: {task: {type: string}}\n"
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        run_id = (await engine.run(make_workflow(body), {"task": "x"})).run_id
        with pytest.raises(RunError, match=r"under this workflow its plan must not run: .*'py'"):
            await engine.resume(run_id, workflow=make_workflow(body.replace("py: {python", "other: {python")))
        result = await engine.resume(run_id, workflow=make_workflow(body + "budget: {calls: 9}\n"))
        events = await engine.history(run_id)
    assert result.status == "failed"
    assert {event.purpose for event in events if isinstance(event, PlanReady)} == {"plan", "replan"}
