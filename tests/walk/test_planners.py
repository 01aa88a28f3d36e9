"""Two planners: the plan that both mean runs, and what happens where they do not agree."""

import json
from pathlib import Path

import pytest
from support import MakeWorkflow, ModelServer, ServeModel

from planloom import ConfigError, Engine
from planloom.core import events as ev
from planloom.core.json import Json, JsonObject
from planloom.core.result import RunResult

MODELS = """
models:
  mini: {model: "openai:mini"}
  other: {model: "openai:other"}
  big: {model: "openai:big"}
"""
TWO_MODELS = "{quorum: 2, samples: 3, vary: [{model: other}, {method: parts}]}"


def plan(goal: str, name: str, *, extra: bool = False, odd: bool = False) -> JsonObject:
    """Return a plan with names of its own: two steps, or three."""
    steps: list[Json] = [
        {"id": name, "goal": goal},
        {"id": f"{name}_2", "code": "len(text)", "with": {"text": f"${{nodes.{name}.output}}"}},
    ]
    if extra:
        steps.append({"id": "more", "goal": "Say it again", "with": {"n": f"${{nodes.{name}_2.output}}"}})
    if odd:
        steps.append({"id": "unread", "goal": "Say something"})
    final = "more" if extra else f"{name}_2"
    return {"nodes": steps, "output": f"${{nodes.{final}.output}}"}


ONE, SAME = plan("Say a word", "word"), plan("Utter a single word.", "utterance")
THREE, OTHER = plan("Say a word", "w", extra=True), plan("Say a word", "w", odd=True)


def script(*, first: Json, second: Json, third: Json = None, big: Json = None) -> str:
    rules = [
        {"when": {"role": "planner", "model": "big"}, "json": big},
        {"when": {"role": "planner", "model": "other"}, "json": second},
        {"when": {"role": "planner", "contains": "List the parts of the task"}, "json": third},
        {"when": {"role": "planner"}, "json": first},
        {"text": "abc"},
    ]
    return json.dumps({"rehearsal": 1, "rules": [rule for rule in rules if rule.get("json", 0) is not None]})


async def run(
    server: ModelServer, make_workflow: MakeWorkflow, tmp_path: Path, *, agree: str = TWO_MODELS, more: str = ""
) -> tuple[RunResult, list[ev.AnyEvent]]:
    body = f"ladder: [mini, other]\nplanner: {{model: mini, repairs: 0, agree: {agree}}}\n{more}"
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        handle = await engine.submit(make_workflow(body, models=MODELS))
        result = await handle.result()
        return result, [event async for event in handle.events()]


def compared(events: list[ev.AnyEvent]) -> ev.PlansCompared:
    (found,) = (event for event in events if isinstance(event, ev.PlansCompared))
    return found


def planners(server: ModelServer) -> list[str]:
    return [str(request["model"]) for request in server.requests if request["role"] == "planner"]


async def test_two_that_mean_the_same_plan_are_asked_once_each_and_no_third(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    server = await serve_model(script(first=ONE, second=SAME))
    result, events = await run(server, make_workflow, tmp_path)
    assert (result.status, result.output) == ("done", 3), result.error
    assert sorted(planners(server)) == ["mini", "other"]
    assert set(result.nodes) == {"word", "word_2"}
    told = compared(events)
    assert (told.because, told.taken, told.dissent) == ("agreed", 0, "")
    assert told.found.startswith('2 x "2 nodes ')
    begun = next(index for index, event in enumerate(events) if isinstance(event, ev.AttemptStarted))
    assert events.index(told) < begun
    assert not any(isinstance(event, ev.NodePlanned) for event in events)


async def test_where_two_differ_a_third_decides_and_the_dissent_is_written_down(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    server = await serve_model(script(first=THREE, second=ONE, third=SAME))
    result, events = await run(server, make_workflow, tmp_path)
    assert (result.status, result.output) == ("done", 3), result.error
    assert sorted(planners(server)) == ["mini", "mini", "other"]
    told = compared(events)
    assert (told.because, told.taken) == ("agreed", 1)
    assert told.dissent == "plan 0: has worker"


async def test_without_a_quorum_the_next_rung_sees_the_plans_and_writes_the_one_that_runs(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    server = await serve_model(script(first=THREE, second=ONE, third=OTHER, big=SAME))
    body = f"ladder: [mini, other, big]\nplanner: {{model: mini, repairs: 0, agree: {TWO_MODELS}}}\n"
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        handle = await engine.submit(make_workflow(body, models=MODELS))
        result = await handle.result()
        events = [event async for event in handle.events()]
    assert (result.status, set(result.nodes)) == ("done", {"utterance", "utterance_2"})
    assert sorted(planners(server)) == ["big", "mini", "mini", "other"]
    assert (compared(events).because, compared(events).taken) == ("next rung", 3)
    (asked,) = (request for request in server.requests if request["model"] == "big")
    text = json.dumps(asked["body"])
    assert "Plans that differ" in text
    assert all(name in text for name in ("more", "word_2", "unread"))


async def test_without_a_quorum_and_a_next_rung_the_plan_with_the_fewest_warnings_runs(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    bad: Json = {"nodes": [{"id": "a", "goal": "x", "with": {"y": "${nodes.none.output}"}}]}
    server = await serve_model(script(first=OTHER, second=ONE, third=bad))
    result, events = await run(server, make_workflow, tmp_path)
    assert (result.status, set(result.nodes)) == ("done", {"word", "word_2"})
    assert len(planners(server)) == 3
    told = compared(events)
    assert (told.because, told.taken, told.dissent) == ("lint", 1, "plan 0: has worker")
    assert "1 without a valid result" in told.found


async def test_a_plan_is_mended_by_who_wrote_it_before_it_is_compared(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    bad: Json = {"nodes": [{"id": "a", "goal": "x", "with": {"y": "${nodes.none.output}"}}]}
    rules = [
        {"when": {"role": "planner", "model": "other", "contains": "unknown_node"}, "json": SAME},
        {"when": {"role": "planner", "model": "other"}, "json": bad},
        {"when": {"role": "planner"}, "json": ONE},
        {"text": "abc"},
    ]
    server = await serve_model(json.dumps({"rehearsal": 1, "rules": rules}))
    body = f"ladder: [mini, other]\nplanner: {{model: mini, repairs: 1, agree: {TWO_MODELS}}}\n"
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        result = await engine.run(make_workflow(body, models=MODELS))
    assert result.status == "done", result.error
    assert sorted(planners(server)) == ["mini", "other", "other"]


async def test_a_number_asks_one_model_in_different_ways(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    server = await serve_model(script(first=ONE, second=None))
    result, _ = await run(server, make_workflow, tmp_path, agree="2")
    assert result.status == "done", result.error
    texts = [json.dumps(request["body"]) for request in server.requests if request["role"] == "planner"]
    assert len(texts) == 2
    assert sum("Start at the result" in text for text in texts) == 1


@pytest.mark.parametrize(("calls", "asked"), [(1, 1), (2, 2)])
async def test_a_budget_that_is_spent_ends_the_comparison_and_no_call_is_made_beyond_it(
    calls: int, asked: int, serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    server = await serve_model(script(first=THREE, second=ONE, third=SAME))
    result, events = await run(server, make_workflow, tmp_path, more=f"budget: {{calls: {calls}}}\n")
    assert (result.status, len(server.requests)) == ("failed", asked)
    assert "no plan: " in result.error
    assert not any(isinstance(event, ev.PlansCompared) for event in events)
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        again = await engine.resume(result.run_id, budget={"calls": 20})
    assert again.status == "done", again.error
    assert sorted(planners(server)) == ["mini", "mini", "other"]  # the plans that were there are not asked for again


async def test_where_nobody_writes_a_plan_that_may_run_the_run_ends_and_says_why(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    server = await serve_model(script(first={"nodes": []}, second={"nodes": []}))
    result, _ = await run(server, make_workflow, tmp_path)
    assert (result.status, len(planners(server))) == ("failed", 2)
    assert "nobody wrote a plan that may run" in result.error
    assert "the plan has no nodes" in result.error


async def test_models_of_planners_must_be_known(make_workflow: MakeWorkflow) -> None:
    with pytest.raises(ConfigError, match=r"planner\.agree\.vary\[0\]\.model: .*did you mean .other"):
        make_workflow("planner: {agree: {vary: [{model: othr}]}}", models=MODELS)
