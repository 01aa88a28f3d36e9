"""A cap is never passed, not at any instant, and the run says which cap stopped it."""

from pathlib import Path

import pytest
from support import MakeWorkflow, ServeModel

from planloom.core.errors import RunError
from planloom.core.events import BudgetRaised, CallEnded, CallStarted
from planloom.engine import Engine

FORTY = "\n".join(f"  n{i}: {{goal: work}}" for i in range(40))
ANSWER = "rehearsal: 1\nrules: [{text: ok, delay: 20ms, usage: {input: 500, output: 4000}}]\n"


def peak(events: list[object]) -> float:
    """Return the most that was ever spent and reserved together."""
    held: dict[str, float] = {}
    spent = most = 0.0
    for event in events:
        if isinstance(event, CallStarted):
            held[event.call_id] = event.reserved_usd
        elif isinstance(event, CallEnded):
            held.pop(event.call_id)
            spent += event.cost_usd
        most = max(most, spent + sum(held.values()))
    return most


async def test_forty_parallel_nodes_never_pass_the_cap(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    server = await serve_model(ANSWER)
    models = 'models: {mini: {model: "openai:mini", price: {input: 1, output: 2}, max_output_tokens: 4000}}\n'
    workflow = make_workflow(f"budget: {{usd: 0.10}}\nmax_parallel: 40\nnodes:\n{FORTY}\n", models=models)
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        handle = await engine.submit(workflow)
        result = await handle.result()
        events: list[object] = [event async for event in handle.events()]
    assert peak(events) <= 0.10
    assert result.status == "partial"
    assert "budget usd" in result.error
    done = [node for node in result.nodes.values() if node.state == "done"]
    assert 8 <= len(done) <= 11
    assert len(server.requests) == len(done)


async def test_a_run_that_spent_its_budget_goes_on_under_a_raised_cap_and_keeps_what_is_done(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    server = await serve_model("rehearsal: 1\nrules: [{text: ok, usage: {input: 10, output: 5}}]\n")
    needs = ("", "n0", "n1", "n2")
    chain = "".join(f"  n{i}: {{goal: work, needs: [{need}]}}\n" for i, need in enumerate(needs))
    workflow = make_workflow(f"budget: {{calls: 2}}\nnodes:\n{chain}")
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        spent = await engine.run(workflow)
        assert spent.error.startswith("budget calls: cap 2 reached")
        for wrong, told in (({"calls": 1}, "only be raised; it is 2"), ({"cals": 9}, "found 'cals'")):
            with pytest.raises(RunError, match=told):
                await engine.resume(spent.run_id, budget=wrong)
        again = await engine.resume(spent.run_id, budget={"calls": 3})
        assert again.error.startswith("budget calls: cap 3 reached")
        result = await engine.resume(spent.run_id, budget={"calls": "1k", "usd": 1.0})
        raised = [event for event in await engine.history(spent.run_id) if isinstance(event, BudgetRaised)]
    assert result.status == "done", result.error
    assert server.nodes() == ["n0", "n1", "n2", "n3"]
    assert [event.caps for event in raised] == [{"calls": 3}, {"calls": 1000, "usd": 1.0}]


async def test_calls_that_wait_for_money_go_on_when_others_cost_less_than_feared(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    server = await serve_model("rehearsal: 1\nrules: [{text: ok, delay: 5ms, usage: {input: 10, output: 5}}]\n")
    models = 'models: {mini: {model: "openai:mini", price: {input: 1, output: 2}, max_output_tokens: 4000}}\n'
    workflow = make_workflow(f"budget: {{usd: 0.03}}\nmax_parallel: 40\nnodes:\n{FORTY}\n", models=models)
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        result = await engine.run(workflow)
    assert result.status == "done"
    assert len(server.requests) == 40


async def test_a_reply_lost_on_the_way_is_asked_for_again_under_a_reservation_of_its_own(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    server = await serve_model("rehearsal: 1\nrules: [{broken: true, text: lost, times: 1}, {text: ok}]\n")
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        handle = await engine.submit(make_workflow("nodes: {a: {goal: x}}\n"))
        result = await handle.result()
        ended = [event async for event in handle.events() if isinstance(event, CallEnded)]
    assert (result.status, result.output) == ("done", "ok")
    assert len(result.nodes["a"].attempts) == 1
    assert [bool(event.error) for event in ended] == [True, False]
    assert ended[0].cost_usd > ended[1].cost_usd


async def test_a_map_that_is_taken_up_again_still_knows_what_its_elements_cost(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    usage = "usage: {input: 0, output: 2000}"
    rules = f"[{{when: {{node: 'm[[]2[]]'}}, broken: true, text: lost}}, {{text: ok, {usage}}}]"
    server = await serve_model(f"rehearsal: 1\nrules: {rules}\n")
    models = 'models: {mini: {model: "openai:mini", price: {input: 0, output: 1}, max_output_tokens: 2000, retries: 0}}'
    nodes = "max_parallel: 1\nnodes: {m: {map: [1, 2, 3], goal: 'say ${item}', budget_usd: 0.006}}\n"
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        result = await engine.run(make_workflow(nodes, models=f"{models}\n"))
        again = await engine.resume(result.run_id)
    assert result.status == again.status == "failed"
    assert sum(node.cost_usd for node in again.nodes.values()) <= 0.006 + 1e-9
    assert len(server.requests) == 3
