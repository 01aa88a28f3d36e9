"""Workflows as nodes of LangGraph graphs, and graphs as tools of workflows."""

import asyncio
from pathlib import Path
from typing import Any, TypedDict

import pytest
from langchain_core.runnables import Runnable, RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command

from planloom import ConfigError, Engine, RunError, Workflow, as_node

SUM = """
version: 1
name: sum
inputs: {a: {type: integer}, b: {type: integer, default: 1}}
nodes: {total: {code: "a + b", with: {a: "${inputs.a}", b: "${inputs.b}"}}}
output: "${nodes.total.output}"
"""
HELD = """
version: 1
name: held
nodes: {one: {code: "1", approve: true}}
output: "${nodes.one.output}"
"""
FAILS = """
version: 1
name: fails
nodes: {one: {code: "1 / 0"}}
output: "${nodes.one.output}"
"""
GRAPHS = """
from typing import TypedDict

from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt


class State(TypedDict, total=False):
    topic: str
    said: list


builder = StateGraph(State)
builder.add_node("say", lambda state: {"said": [AIMessage(content=state["topic"] + "!")]})
builder.add_edge(START, "say")
builder.add_edge("say", END)
saver = InMemorySaver()
kept = builder.compile(checkpointer=saver)
builder = StateGraph(State)
builder.add_node("ask", lambda state: {"topic": interrupt("Really?")})
builder.add_edge(START, "ask")
builder.add_edge("ask", END)
asks, asks_and_keeps = builder.compile(), builder.compile(checkpointer=saver)


def shout(text: str) -> str:
    return text.upper()


def fail(text: str) -> str:
    raise ValueError("no such " + text)


loud, broken, number = RunnableLambda(shout), RunnableLambda(fail), 5
"""


class State(TypedDict, total=False):
    a: int
    output: int
    doubled: int


def graph_of(node: Runnable[object, dict[str, object]]) -> StateGraph[State]:
    builder = StateGraph(State)
    builder.add_node("run", node)
    builder.add_node("double", lambda state: {"doubled": 2 * state["output"]})
    builder.add_edge(START, "run")
    builder.add_edge("run", "double")
    builder.add_edge("double", END)
    return builder


async def test_a_workflow_is_a_node_of_a_graph_with_a_checkpointer_of_its_own() -> None:
    async with Engine(journal=":memory:") as engine:
        saver = InMemorySaver()
        graph = graph_of(as_node(engine, Workflow.from_text(SUM))).compile(checkpointer=saver)
        config = {"configurable": {"thread_id": "t"}}
        assert await graph.ainvoke({"a": 2}, config) == {"a": 2, "output": 3, "doubled": 6}  # type: ignore[arg-type]
        assert {entry.config["configurable"]["checkpoint_ns"] for entry in saver.list(None)} == {""}
        assert len(await engine.runs()) == 1


async def test_a_graph_without_async_runs_it_in_the_engines_loop() -> None:
    async with Engine(journal=":memory:") as engine:
        graph = graph_of(as_node(engine, Workflow.from_text(SUM))).compile()
        assert (await asyncio.to_thread(graph.invoke, {"a": 4}))["doubled"] == 10
        with pytest.raises(RunError, match="use `ainvoke`"):
            as_node(engine, Workflow.from_text(SUM)).invoke({"a": 1})


async def test_inputs_and_output_are_mapped_by_key_or_by_function() -> None:
    async with Engine(journal=":memory:") as engine:
        keyed = as_node(engine, Workflow.from_text(SUM), inputs={"a": "x", "b": "y"}, output="z")
        assert await keyed.ainvoke({"x": 1, "y": 5, "b": 9}) == {"z": 6}
        made = as_node(
            engine,
            Workflow.from_text(SUM),
            inputs=lambda state: {"a": len(str(state))},
            output=lambda result: {"run": result.run_id, "n": result.output},
        )
        update = await made.ainvoke("four")
        assert (update["n"], update["run"]) == (5, (await engine.runs())[0].run_id)
        with pytest.raises(RunError, match="the state has no 'x'"):
            await keyed.ainvoke({"y": 5})


async def test_a_run_without_an_output_is_an_error_that_names_it() -> None:
    async with Engine(journal=":memory:") as engine:
        with pytest.raises(RunError, match=r"waits for a person \(one\)"):
            await as_node(engine, Workflow.from_text(HELD)).ainvoke({})
        with pytest.raises(RunError, match="is failed"):
            await as_node(engine, Workflow.from_text(FAILS)).ainvoke({})


TWO = """
version: 1
name: two
inputs: {a: {type: integer}}
nodes:
  one: {code: "a", with: {a: "${inputs.a}"}, approve: true}
  two: {code: "b + 1", with: {b: "${nodes.one.output}"}, approve: true}
output: "${nodes.two.output}"
"""
THREAD: RunnableConfig = {"configurable": {"thread_id": "t"}}


def asked(state: dict[str, Any]) -> list[dict[str, Any]]:
    (found,) = state["__interrupt__"]
    pending: list[dict[str, Any]] = found.value["pending"]
    return pending


def yes(state: dict[str, Any], **more: object) -> Command[object]:
    return Command(resume=[{**item, "approved": True, **more} for item in asked(state)])


async def test_a_run_that_waits_interrupts_the_graph_and_goes_on_with_the_answers() -> None:
    async with Engine(journal=":memory:") as engine:
        graph = graph_of(as_node(engine, Workflow.from_text(TWO))).compile(checkpointer=InMemorySaver())
        first = await graph.ainvoke({"a": 2}, THREAD)
        assert [item["node"] for item in asked(first)] == ["one"]
        assert asked(await graph.ainvoke(Command(resume=True), THREAD)) == asked(first), "it names nothing that waits"
        second = await graph.ainvoke(yes(first), THREAD)
        assert [item["node"] for item in asked(second)] == ["two"]
        assert asked(await graph.ainvoke(yes(first), THREAD)) == asked(second), "an answer opens what it was shown"
        assert (await graph.ainvoke(yes(second), THREAD))["doubled"] == 6
        (run,) = await engine.runs()
        assert run.status == "done"
        again = await graph.ainvoke({"a": 2}, THREAD)
        assert [item["node"] for item in asked(again)] == ["one"]
        assert len(await engine.runs()) == 2
        with pytest.raises(RunError, match="is failed"):
            await graph.ainvoke(yes(again, approved=False), THREAD)


async def test_another_process_goes_on_with_the_graph_and_its_run(tmp_path: Path) -> None:
    held: dict[str, Any] = {}
    for turn in (1, 2, 3):
        async with (
            Engine(journal=tmp_path / "runs.db") as engine,
            AsyncSqliteSaver.from_conn_string(str(tmp_path / "graph.db")) as saver,
        ):
            graph = graph_of(as_node(engine, Workflow.from_text(TWO))).compile(checkpointer=saver)
            held = await graph.ainvoke(yes(held) if turn > 1 else {"a": 4}, THREAD)
            assert len(await engine.runs()) == 1
    assert held["doubled"] == 10


async def test_a_graph_without_async_is_interrupted_as_well() -> None:
    async with Engine(journal=":memory:") as engine:
        graph = graph_of(as_node(engine, Workflow.from_text(HELD))).compile(checkpointer=InMemorySaver())
        held = await asyncio.to_thread(graph.invoke, {}, THREAD)
        assert (await asyncio.to_thread(graph.invoke, yes(held), THREAD))["doubled"] == 2


async def test_each_workflow_of_one_node_gets_the_answers_that_are_its_own() -> None:
    async with Engine(journal=":memory:") as engine:
        held, two = Workflow.from_text(HELD), Workflow.from_text(TWO)
        chain = as_node(engine, held, output="a") | as_node(engine, two)
        graph = graph_of(chain).compile(checkpointer=InMemorySaver())
        state = await graph.ainvoke({}, THREAD)
        for node in ("one", "one", "two"):
            assert [item["node"] for item in asked(state)] == [node]
            state = await graph.ainvoke(yes(state), THREAD)
        assert state["doubled"] == 4
        assert len(await engine.runs()) == 2


async def test_a_run_answered_elsewhere_is_taken_as_it_ended_and_a_failed_one_is_tried_again() -> None:
    async with Engine(journal=":memory:") as engine:
        graph = graph_of(as_node(engine, Workflow.from_text(HELD))).compile(checkpointer=InMemorySaver())
        held = await graph.ainvoke({}, THREAD)
        (run,) = await engine.runs()
        assert run.run_id == held["__interrupt__"][0].value["run_id"]
        await engine.resume(run.run_id, {"one": True})
        assert (await graph.ainvoke(None, THREAD))["doubled"] == 2
        broken = graph_of(as_node(engine, Workflow.from_text(FAILS))).compile(checkpointer=InMemorySaver())
        for state in ({}, None):
            with pytest.raises(RunError, match="is failed"):
                await broken.ainvoke(state, THREAD)
        assert len(await engine.runs()) == 2


def using(folder: Path, ref: str, given: str) -> Workflow:
    (folder / "graphs.py").write_text(GRAPHS)
    nodes = {"use": {"tool": "it", "with": {given: "${inputs.text}"}}}
    data = {"version": 1, "name": "w", "inputs": {"text": {}}, "tools": {"it": {"ref": ref}}, "nodes": nodes}
    return Workflow.from_dict({**data, "output": "${nodes.use.output}"}, base_dir=folder)


async def test_a_graph_is_a_tool_and_its_threads_are_its_own(tmp_path: Path) -> None:
    async with Engine(journal=tmp_path / "runs.db") as engine:
        for text in ("Bern", "Oslo"):
            result = await engine.run(using(tmp_path, "graphs:kept", "topic"), {"text": text})
            assert result.status == "done", result.error
            assert isinstance(result.output, dict)
            (said,) = result.output["said"]  # type: ignore[misc]
            assert said["content"] == f"{text}!"  # type: ignore[call-overload, index]


@pytest.mark.parametrize("graph", ["asks", "asks_and_keeps"])
async def test_a_graph_that_stops_to_ask_a_person_has_not_done_its_work(tmp_path: Path, graph: str) -> None:
    async with Engine(journal=":memory:") as engine:
        result = await engine.run(using(tmp_path, f"graphs:{graph}", "topic"), {"text": "Bern"})
        assert (result.status, result.output) == ("failed", None)
        assert "stopped to ask a person" in result.error


async def test_any_runnable_is_a_tool_and_what_it_raises_is_the_nodes_failure(tmp_path: Path) -> None:
    async with Engine(journal=":memory:") as engine:
        loud = await engine.run(using(tmp_path, "graphs:loud", "input"), {"text": "hey"})
        assert loud.output == "HEY", loud.error
        broken = await engine.run(using(tmp_path, "graphs:broken", "input"), {"text": "thing"})
        assert broken.status == "failed"
        assert "no such thing" in broken.error
        with pytest.raises(ConfigError, match="'number' in module 'graphs' is not callable"):
            await engine.run(using(tmp_path, "graphs:number", "input"), {"text": "x"})
