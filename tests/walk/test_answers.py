"""What people say to a run: answers, edited plans, writes that did happen, silence; and a run that is drained."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from programs import PLANLOOM, begin
from support import MakeWorkflow, ServeModel

from planloom import Answer, tool
from planloom.cli.approving import delivered
from planloom.core.errors import RunError
from planloom.core.events import AnyEvent, ApprovalGiven, AttemptStarted, NodeCommitted, NodeHeld, RunEnded
from planloom.engine import Engine
from planloom.handle import RunHandle
from planloom.state.inbox import Inbox


def script(*rules: object) -> str:
    return json.dumps({"rehearsal": 1, "rules": [*rules]})


ASKS = "ladder: [mini]\nroute: {then: ask}\nnodes: {a: {goal: Write the letter%s}}\n"


@pytest.mark.parametrize("form", ["text", "json"])
async def test_a_worker_asks_a_person_and_goes_on_with_the_answer(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path, form: str
) -> None:
    question = "To whom is it addressed?"
    asks: dict[str, object] = {"when": {"attempt": [1]}}
    asks |= (
        {"text": f"CANNOT question: {question}"}
        if form == "text"
        else {"json": {"result": None, "cannot": {"code": "question", "reason": question}}}
    )
    told = {"when": {"contains": "A person answered: To Ada."}}
    told |= {"text": "Dear Ada"} if form == "text" else {"json": "Dear Ada"}
    server = await serve_model(script(asks, told))
    workflow = make_workflow(ASKS % ("" if form == "text" else ", output: {type: string}"))
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        waiting = await engine.run(workflow)
        assert (waiting.status, waiting.pending[0].kind) == ("waiting", "question")
        assert waiting.pending[0].shown == {"question": question}
        result = await engine.resume(waiting.run_id, {"a": Answer(note="To Ada.")})
    assert (result.status, result.output) == ("done", "Dear Ada"), result.error


async def test_where_no_person_is_there_a_question_goes_to_the_planner(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    server = await serve_model(
        script(
            {"when": {"role": "planner"}, "json": {"nodes": [{"id": "b", "code": "'planned'"}], "remove": ["a"]}},
            {"text": "CANNOT question: why?"},
        )
    )
    workflow = make_workflow("planner: {model: big}\nnodes: {a: {goal: x}}\n")
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        result = await engine.run(workflow)
    assert (result.status, result.output) == ("done", "planned"), result.error


async def test_a_plan_is_edited_before_it_runs_and_bound_to_its_new_digest(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    plan = {"nodes": [{"id": "a", "goal": "x"}], "output": "${nodes.a.output}"}
    server = await serve_model(script({"when": {"role": "planner"}, "json": plan}, {"text": "from the model"}))
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        held = await engine.run(make_workflow("planner: {approve: plan}\n"))
        bad = {"nodes": {"b": {"code": "x", "with": {"x": "${nodes.nowhere.output}"}}}}
        with pytest.raises(RunError, match="nowhere"):
            await engine.resume(held.run_id, {"plan": Answer(plan=bad)})
        good = {"nodes": {"b": {"code": "'mine'"}}, "output": {"said": "${nodes.b.output}"}}
        result = await engine.resume(held.run_id, {"plan": Answer(plan=good, note="cheaper")})
        given = [event for event in await engine.history(held.run_id) if isinstance(event, ApprovalGiven)]
    assert (result.status, result.output) == ("done", {"said": "mine"}), result.error
    assert server.nodes() == []
    assert result.plan_version == 2
    assert [event.note for event in given] == ["cheaper"]


async def test_an_approval_shows_the_values_and_does_not_hold_for_others(
    make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    nodes = "nodes: {a: {code: '%s'}, b: {code: x, with: {x: '${nodes.a.output}'}, approve: true}}\n"
    async with Engine(journal=tmp_path / "j.db") as engine:
        held = await engine.run(make_workflow(nodes % "40 + 2", models=""))
        assert held.pending[0].shown == {"with": {"x": 42}}
        other = await engine.run(make_workflow(nodes % "40 + 3", models=""))
    assert held.pending[0].bound_to != other.pending[0].bound_to


async def test_a_person_says_that_a_write_did_happen(make_workflow: MakeWorkflow, tmp_path: Path) -> None:
    sent: list[str] = []

    @tool(effect="write")
    async def send(text: str) -> str:
        sent.append(text)
        raise OSError("the line went dead")

    async with Engine(journal=tmp_path / "j.db", tools={"send": send}) as engine:
        waiting = await engine.run(make_workflow("nodes: {a: {tool: send, with: {text: hi}}}\n", models=""))
        assert (waiting.status, waiting.pending[0].kind) == ("waiting", "effect")
        assert "hi" in json.dumps(waiting.pending[0].shown)
        result = await engine.resume(waiting.run_id, {"a": Answer(happened=True, result="receipt 7")})
    assert (result.status, result.output) == ("done", "receipt 7"), result.error
    assert sent == ["hi"]


@pytest.mark.parametrize(("default", "status"), [("reject", "failed"), ("approve", "done")])
async def test_silence_is_an_answer_when_the_workflow_says_so(
    make_workflow: MakeWorkflow, tmp_path: Path, default: str, status: str
) -> None:
    ask = f"ask: {{timeout: 1ms, default: {default}}}\nnodes: {{a: {{code: '1', approve: true}}}}\n"
    async with Engine(journal=tmp_path / "j.db") as engine:
        waiting = await engine.run(make_workflow(ask, models=""))
        assert waiting.status == "waiting"
        result = await engine.resume(waiting.run_id)
        given = [event for event in await engine.history(waiting.run_id) if isinstance(event, ApprovalGiven)]
    assert result.status == status
    assert [event.given_by for event in given] == ["policy"]


async def test_silence_never_lets_a_write_in_doubt_be_repeated(make_workflow: MakeWorkflow, tmp_path: Path) -> None:
    sent: list[str] = []

    @tool(effect="write")
    async def send(text: str) -> str:
        sent.append(text)
        raise OSError("the line went dead")

    ask = "ask: {timeout: 1ms, default: approve}\nnodes: {a: {tool: send, with: {text: hi}}}\n"
    async with Engine(journal=tmp_path / "j.db", tools={"send": send}) as engine:
        waiting = await engine.run(make_workflow(ask, models=""))
        result = await engine.resume(waiting.run_id)
    assert result.status == "failed"
    assert sent == ["hi"]


async def test_what_waits_is_answered_while_its_siblings_run_on(make_workflow: MakeWorkflow, tmp_path: Path) -> None:
    gate, order = asyncio.Event(), list[str]()

    async def slow() -> str:
        await gate.wait()
        order.append("slow")
        return "slow"

    nodes = "nodes: {slow: {tool: slow}, a: {code: '1', approve: true}, b: {code: '2', needs: [a]}}\n"
    async with Engine(journal=tmp_path / "j.db", tools={"slow": slow}) as engine:
        handle = await engine.submit(make_workflow(nodes, models=""))
        async for event in handle.events():
            if isinstance(event, NodeHeld):
                with pytest.raises(RunError, match="does not wait"):
                    handle.answer({"b": True})
                handle.answer({"a": True})
            if isinstance(event, NodeCommitted) and event.node_id == "b":
                order.append("b")
                gate.set()
        result = await handle.result()
        with pytest.raises(RunError, match="does not run"):
            handle.answer({"a": True})
    assert result.status == "done", result.error
    assert order == ["b", "slow"]


async def test_a_drain_lets_attempts_end_and_begins_no_other(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    server = await serve_model(script({"delay": "300ms", "text": "ok"}))
    workflow = make_workflow("nodes: {a: {goal: x}, b: {goal: y, needs: [a]}}\n")
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        handle = await engine.submit(workflow)
        async for event in handle.events():
            if isinstance(event, AttemptStarted):
                break
        await engine.drain(20)
        drained = await handle.result()
        assert drained.status == "cancelled"
        assert drained.nodes["a"].state == "done"
        assert drained.nodes["b"].attempts == ()
        result = await engine.resume(handle.run_id)
    assert result.status == "done", result.error
    assert server.nodes() == ["a", "b"]


async def test_a_run_that_several_cancel_at_once_ends_for_all_of_them_and_can_be_resumed(
    make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    gate = asyncio.Event()

    async def hang() -> str:
        await gate.wait()
        return "done"

    async with Engine(journal=tmp_path / "j.db", tools={"hang": hang}) as engine:
        handle = await engine.submit(make_workflow("nodes: {a: {tool: hang}}\n", models=""))
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            seen = group.create_task(_all(handle))
            for turns in range(40):  # some come while it gives its lease back
                group.create_task(_after(turns, handle.cancel))
        assert (await handle.result()).status == "cancelled"
        assert isinstance(seen.result()[-1], RunEnded), "whoever follows it is told of the end"
        gate.set()
        assert (await engine.resume(handle.run_id)).status == "done"


async def _all(handle: RunHandle) -> list[AnyEvent]:
    return [event async for event in handle.events()]


async def _after(turns: int, call: Callable[[], Awaitable[None]]) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)
    await call()


async def test_a_drain_cancels_what_does_not_end_in_time(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    server = await serve_model(script({"delay": "30s", "text": "ok"}))
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        handle = await engine.submit(make_workflow("nodes: {a: {goal: x}}\n"))
        while not server.requests:
            await asyncio.sleep(0.005)
        await handle.drain(0.05)
        assert (await handle.result()).status == "cancelled"


async def test_a_replan_that_failed_is_not_asked_for_again_when_another_node_is_approved(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    server = await serve_model(
        script({"when": {"role": "planner"}, "text": "no plan"}, {"when": {"node": "a"}, "text": "CANNOT other: no"})
    )
    workflow = make_workflow(
        "planner: {model: big, repairs: 0}\nroute: {replan: 2}\nnodes: {a: {goal: x}, b: {code: '1', approve: true}}\n"
    )
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        waiting = await engine.run(workflow)
        assert (waiting.status, len(server.nodes("planner"))) == ("waiting", 1)
        result = await engine.resume(waiting.run_id, {"b": True})
        assert (result.status, len(server.nodes("planner"))) == ("partial", 1)
        await engine.resume(waiting.run_id)  # a person takes a run up that had ended badly: everything is tried again
    assert len(server.nodes("planner")) > 1


async def test_another_process_answers_while_the_siblings_run_on(make_workflow: MakeWorkflow, tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def slow() -> str:
        await gate.wait()
        return "slow"

    nodes = "nodes: {slow: {tool: slow}, a: {code: '1', approve: true}, b: {code: '2', needs: [a]}}\n"
    async with Engine(journal=tmp_path / "j.db", tools={"slow": slow}) as engine:
        handle = await engine.submit(make_workflow(nodes, models=""))
        async for event in handle.events():
            if isinstance(event, NodeHeld):
                while not (await engine.view(handle.run_id)).pending:  # what others can read comes a moment later
                    await asyncio.sleep(0.005)
                other = begin(PLANLOOM, "approve", handle.run_id, "a", "--journal", "j.db", folder=tmp_path)
                assert await other.end() == 0, other.err
            if isinstance(event, NodeCommitted) and event.node_id == "b":
                gate.set()
        result = await handle.result()
    assert result.status == "done", result.error


async def test_an_answer_that_comes_while_a_run_is_coming_to_rest_is_left_to_whoever_takes_it_up(
    make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    place = str(tmp_path / "j.db")
    async with Engine(journal=place) as engine, Engine(journal=place) as beside:
        waiting = await engine.run(make_workflow("nodes: {a: {code: '1', approve: true}}\n", models=""))
        await engine.journal.take(waiting.run_id)  # its process has written that it waits, and not yet let go
        async with asyncio.TaskGroup() as group:
            told = group.create_task(beside.answer(waiting.run_id, {"a": True}))
            typed = group.create_task(delivered(waiting.run_id, {"a": Answer()}, place))
            while not await Inbox(engine.journal).read(waiting.run_id, waiting.pending):
                await asyncio.sleep(0.01)
            await engine.journal.release(waiting.run_id)
        assert not told.result(), "whoever answered must know that nobody goes on with the run"
        assert not typed.result()
        assert (await engine.resume(waiting.run_id)).status == "done"


async def test_who_answers_from_another_program_is_told_that_the_run_has_the_answer(
    make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    gate, place = asyncio.Event(), tmp_path / "j.db"

    async def slow() -> str:
        await gate.wait()
        return "slow"

    nodes = "nodes: {slow: {tool: slow}, a: {code: '1', approve: true}}\n"
    async with Engine(journal=place, tools={"slow": slow}) as engine, Engine(journal=place) as beside:
        handle = await engine.submit(make_workflow(nodes, models=""))
        while not (await beside.view(handle.run_id)).pending:
            await asyncio.sleep(0.005)
        assert await beside.answer(handle.run_id, {"a": True})
        assert [event.approved for event in await beside.history(handle.run_id) if isinstance(event, ApprovalGiven)]
        gate.set()
        assert (await handle.result()).status == "done"


async def test_an_answer_left_for_a_run_at_rest_is_taken_in_when_it_is_resumed_and_only_if_it_is_about_the_same(
    make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    async with Engine(journal=tmp_path / "j.db") as engine:
        waiting = await engine.run(make_workflow("nodes: {a: {code: '1', approve: true}}\n", models=""))
        with pytest.raises(RunError, match="does not wait"):
            await engine.answer(waiting.run_id, {"b": True})
        assert not await engine.answer(waiting.run_id, {"a": False})
        await engine.answer(waiting.run_id, {"a": Answer(note="after all")})  # the later word counts
        result = await engine.resume(waiting.run_id)
        given = [event for event in await engine.history(waiting.run_id) if isinstance(event, ApprovalGiven)]
    assert result.status == "done", result.error
    assert [event.note for event in given] == ["after all"]
