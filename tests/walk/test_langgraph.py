"""Workflows as nodes of LangGraph graphs, and graphs as tools of workflows."""

import asyncio
from pathlib import Path
from typing import TypedDict

import pytest
from langchain_core.runnables import Runnable
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph

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


class State(TypedDict, total=False):
    topic: str
    said: list


builder = StateGraph(State)
builder.add_node("say", lambda state: {"said": [AIMessage(content=state["topic"] + "!")]})
builder.add_edge(START, "say")
builder.add_edge("say", END)
saver = InMemorySaver()
kept = builder.compile(checkpointer=saver)


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


async def test_any_runnable_is_a_tool_and_what_it_raises_is_the_nodes_failure(tmp_path: Path) -> None:
    async with Engine(journal=":memory:") as engine:
        loud = await engine.run(using(tmp_path, "graphs:loud", "input"), {"text": "hey"})
        assert loud.output == "HEY", loud.error
        broken = await engine.run(using(tmp_path, "graphs:broken", "input"), {"text": "thing"})
        assert broken.status == "failed"
        assert "no such thing" in broken.error
        with pytest.raises(ConfigError, match="'number' in module 'graphs' is not callable"):
            await engine.run(using(tmp_path, "graphs:number", "input"), {"text": "x"})
