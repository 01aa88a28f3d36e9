"""One failing node: siblings go on, the next rung is asked, the planner mends what is left."""

import json
from pathlib import Path

from support import MakeWorkflow, ServeModel

from planloom.engine import Engine

PLAN = """
rehearsal: 1
rules:
  - when: {role: planner, contains: "# Failed"}
    json:
      nodes:
        - {id: total2, code: "a + b", with: {a: "${nodes.left.output.n}", b: "${nodes.right.output.n}"}}
      remove: [total]
      output: "${nodes.total2.output}"
  - when: {role: planner}
    json:
      nodes:
        - &n {id: left, goal: "Say one", output: {type: object, properties: {n: {type: integer}}, required: [n]}}
        - {id: right, goal: "Say two", output: {type: object, properties: {n: {type: integer}}, required: [n]}}
        - {id: total, goal: "Add them up", with: {a: "${nodes.left.output.n}", b: "${nodes.right.output.n}"},
           output: {type: object, properties: {n: {type: integer}}, required: [n]},
           checks: [{expr: "output.n == a + b"}]}
      output: "${nodes.total.output.n}"
  - {when: {node: left}, json: {result: {n: 1}, cannot: null}}
  - {when: {node: right}, json: {result: {n: 2}, cannot: null}}
  - {when: {node: total}, json: {result: {n: 12345}, cannot: null}}
"""


async def test_a_failed_check_climbs_the_ladder_and_then_reaches_the_planner(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    server = await serve_model(PLAN)
    workflow = make_workflow("ladder: [mini, big]\nplanner: {model: big}\nroute: {retry: 1}\n")
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        result = await engine.run(workflow)
    assert (result.status, result.output) == ("done", 3)
    assert server.models("total") == ["mini", "mini", "big", "big"]
    assert [decision.action for decision in result.decisions] == ["retry", "promote", "retry", "replan"]
    assert server.nodes().count("left") == server.nodes().count("right") == 1
    assert result.nodes["total"].state == "removed"
    assert result.plan_version == 2


async def test_a_replan_request_carries_evidence_and_results_but_no_transcript(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    server = await serve_model(PLAN)
    workflow = make_workflow("ladder: [mini]\nplanner: {model: mini}\nroute: {retry: 0}\n")
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        await engine.run(workflow)
    planner = [request for request in server.requests if request["role"] == "planner"]
    text = json.dumps(planner[1]["body"])
    assert "output.n == a + b" in text
    assert "12345" in text
    assert "You carry out one piece of a larger plan" not in text
    assert "assistant" not in {message["role"] for message in planner[1]["body"]["messages"]}  # type: ignore[index,call-overload,union-attr]
