"""`planner: {single: auto}`: a plan that is a chain is done by one worker, and each step's check still counts."""

from support import MakeWorkflow, ServeModel

from planloom.core import events as ev
from planloom.engine import Engine

BODY = """
planner: {model: big, single: auto}
ladder: [mini, big]
inputs: {text: {type: string}}
"""
SCRIPT = """
rehearsal: 1
rules:
  - when: {role: planner}
    json:
      nodes:
        - id: pick
          goal: Pick a number
          with: {text: "${inputs.text}"}
          output: {type: object, properties: {n: {type: integer}}, required: [n]}
          checks: [{expr: "output.n > 1"}]
        - id: double
          goal: Double it
          with: {n: "${nodes.pick.output.n}"}
          output: {type: integer}
          checks: [{expr: "output == 2 * n"}]
        - {id: say, goal: Say it, with: {n: "${nodes.double.output}"}}
      output: {said: "${nodes.say.output}", picked: "${nodes.pick.output.n}"}
  - {when: {attempt: 1}, json: {pick: {n: 2}, double: 5, say: five}}
  - {when: {contains: "output == 2 * n"}, status: 500, error: the check of a step is told where it stands now}
  - {when: {attempt: 2}, json: {pick: {n: 2}, double: 4, say: four}}
"""


async def test_a_chain_is_one_worker_and_the_check_of_a_step_in_the_middle_sends_it_back(
    serve_model: ServeModel, make_workflow: MakeWorkflow
) -> None:
    server = await serve_model(SCRIPT)
    async with Engine(journal=":memory:", base_url=server.base_url) as engine:
        result = await engine.run(make_workflow(BODY), {"text": "x"})
        history = await engine.history(result.run_id)
    assert (result.status, result.output) == ("done", {"said": "four", "picked": 2}), result.error
    assert server.nodes() == ["pick_to_say", "pick_to_say"]
    (node,) = result.nodes.values()
    assert [attempt.failure for attempt in node.attempts] == ["check", ""]
    (merged,) = [event for event in history if isinstance(event, ev.NodesMerged)]
    assert (merged.nodes, merged.reason) == (("pick", "double", "say"), "chain")


async def test_unless_it_is_asked_for_every_node_of_a_chain_has_a_worker(
    serve_model: ServeModel, make_workflow: MakeWorkflow
) -> None:
    script = SCRIPT[: SCRIPT.index("  - {when: {attempt: 1}")] + (
        "  - {when: {node: pick}, json: {n: 2}}\n  - {when: {node: double}, json: 4}\n  - {text: four}\n"
    )
    server = await serve_model(script)
    async with Engine(journal=":memory:", base_url=server.base_url) as engine:
        result = await engine.run(make_workflow(BODY.replace(", single: auto", "")), {"text": "x"})
    assert result.output == {"said": "four", "picked": 2}, result.error
    assert server.nodes() == ["pick", "double", "say"]
