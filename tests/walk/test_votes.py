"""Several answers to one node: asked differently, compared by what they come to, counted at the wire."""

import json
from pathlib import Path

import pytest
from support import MakeWorkflow, ModelServer, ServeModel

from planloom import ConfigError, Engine
from planloom.core.result import RunResult

NODE = """
ladder: [mini, big]
route: {retry: 0}
inputs: {boxes: {type: integer, default: 12}}
nodes:
  count:
    goal: How many pens are in the boxes, 30 in each?
    with: {boxes: "${inputs.boxes}"}
    output: {type: object, properties: {pens: {type: number}, why: {type: string}}, required: [pens]}
    checks: [{agree: {samples: 5, quorum: 3, path: output.pens, vary: VARY}}]
output: "${nodes.count.output.pens}"
"""
MODELS = "models: {mini: {model: 'openai:mini'}, other: {model: 'openai:other'}, big: {model: 'openai:big'}}\n"
VARY = "[{method: parts}, {method: backwards}, {method: program}, {model: other}]"
HINTS = {"parts": "Take the goal apart first", "backwards": "Start at the end", "program": "write a Python program"}


def script(*, plain: float, parts: float, backwards: float, program: str, other: float) -> str:
    """Return a script in which each voice gives the answer named for it; the big model says 360."""
    pens = {"parts": {"pens": parts}, "backwards": {"pens": backwards}, "program": {"program": program}}
    rules = [
        {"when": {"model": "big"}, "json": {"pens": 360}},
        {"when": {"model": "other"}, "json": {"why": "other", "pens": other}},
        *({"when": {"contains": HINTS[name]}, "json": value} for name, value in pens.items()),
        {"when": {"node": "count"}, "json": {"pens": plain, "why": "plain"}},
    ]
    return json.dumps({"rehearsal": 1, "rules": rules})


async def run(server: ModelServer, make_workflow: MakeWorkflow, journal: Path, *, body: str = NODE) -> RunResult:
    workflow = make_workflow(body.replace("VARY", VARY), models=MODELS)
    async with Engine(journal=journal, base_url=server.base_url) as engine:
        return await engine.run(workflow)


PROGRAM = "{'pens': boxes * 30.0}"


@pytest.mark.parametrize(
    ("wrong", "asked", "found"),
    [
        ([], 3, "3 x 360"),
        (["program", "other"], 3, "3 x 360"),
        (["plain", "other"], 4, "3 x 360; 1 x 370"),
        (["plain", "parts"], 5, "3 x 360; 2 x 370"),
    ],
)
async def test_with_two_of_five_wrong_it_stops_as_soon_as_three_agree_and_keeps_the_dissent(
    wrong: list[str], asked: int, found: str, serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    said = {name: 370 if name in wrong else 360 for name in ("plain", "parts", "backwards", "other")}
    program = "{'pens': 370}" if "program" in wrong else PROGRAM
    server = await serve_model(script(**said, program=program))
    result = await run(server, make_workflow, tmp_path / "j.db")
    assert (result.status, result.output) == ("done", 360)
    assert len(server.requests) == asked == result.usage.calls
    (attempt,) = result.nodes["count"].attempts
    assert [(item.check, item.passed, item.found) for item in attempt.evidence] == [("agree", True, found)]


async def test_samples_that_do_not_agree_go_up_with_the_votes_and_other_models_stay_behind(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    server = await serve_model(script(plain=370, parts=360, backwards=370, program="{'pens': 12 * 30}", other=1))
    result = await run(server, make_workflow, tmp_path / "j.db")
    assert (result.status, result.output) == ("done", 360)
    assert [decision.action for decision in result.decisions] == ["promote"]
    models = server.models("count")
    assert sorted(models[:5]) == ["mini", "mini", "mini", "mini", "other"]
    assert models[5:] == ["big", "big", "big"]
    first = result.nodes["count"].attempts[0]
    assert (first.failure, first.message) == ("disagree", "samples disagree: 2 x 370; 2 x 360; 1 x 1")
    assert "2 x 370; 2 x 360; 1 x 1" in json.dumps(server.requests[5]["body"])


async def test_a_program_that_breaks_is_no_vote_and_sees_only_what_the_node_is_given(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    server = await serve_model(script(plain=1, parts=360, backwards=360, program="inputs['boxes']", other=360))
    result = await run(server, make_workflow, tmp_path / "j.db")
    assert (result.status, result.output, len(server.requests)) == ("done", 360, 5)
    (evidence,) = result.nodes["count"].attempts[0].evidence
    assert evidence.found == "3 x 360; 1 x 1; 1 without a valid result"


async def test_a_budget_too_small_for_all_samples_ends_the_node_without_another_call(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    server = await serve_model(script(plain=370, parts=360, backwards=370, program=PROGRAM, other=360))
    result = await run(server, make_workflow, tmp_path / "j.db", body=f"{NODE}budget: {{calls: 3}}\n")
    assert (result.status, len(server.requests)) == ("failed", 3)
    assert "samples so far: 2 x 370; 1 x 360" in result.nodes["count"].reason


async def test_a_budget_that_is_enough_for_the_quorum_is_enough_where_they_agree(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    server = await serve_model(script(plain=360, parts=360, backwards=360, program=PROGRAM, other=360))
    result = await run(server, make_workflow, tmp_path / "j.db", body=f"{NODE}budget: {{calls: 3}}\n")
    assert (result.status, len(server.requests)) == ("done", 3)


async def test_a_model_to_vary_with_must_be_known(make_workflow: MakeWorkflow, tmp_path: Path) -> None:
    async with Engine(journal=tmp_path / "j.db") as engine:
        with pytest.raises(ConfigError, match="no model 'othr' to vary with; did you mean 'other'"):
            await engine.run(make_workflow(NODE.replace("VARY", "[{model: othr}]"), models=MODELS))
