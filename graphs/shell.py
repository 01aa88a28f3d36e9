# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
"""The shell: one run as a small fixed LangGraph graph, the only one that knows LangGraph beside `checkpoints.py`.

LangGraph gives the shell its checkpoints and its interrupt; all scheduling happens inside `execute`, where
no superstep barrier can hold a branch up. The checkpointed state is the run's id and nothing else.
"""

from typing import Literal, TypeAlias, TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command, interrupt

from planloom.core.plan import RunId
from planloom.graphs.run import Walk


class ShellState(TypedDict):
    """State that LangGraph checkpoints."""

    run_id: str


async def _prepare(state: ShellState, runtime: Runtime[Walk]) -> ShellState:
    await runtime.context.prepare()
    return state


async def _plan(state: ShellState, runtime: Runtime[Walk]) -> ShellState:
    await runtime.context.plan()
    return state


async def _approve(state: ShellState, runtime: Runtime[Walk]) -> ShellState:
    if await runtime.context.must_wait():
        interrupt(runtime.context.pending())
    return state


async def _execute(state: ShellState, runtime: Runtime[Walk]) -> ShellState:
    await runtime.context.execute()
    return state


def _after_execute(_: ShellState, runtime: Runtime[Walk]) -> Literal["approve", "answer"]:
    return "approve" if runtime.context.held else "answer"


async def _answer(state: ShellState, runtime: Runtime[Walk]) -> ShellState:
    await runtime.context.answer()
    return state


Shell: TypeAlias = "CompiledStateGraph[ShellState, Walk, ShellState, ShellState]"


def build_shell(checkpointer: BaseCheckpointSaver[str]) -> Shell:
    """Return the shell graph; one serves all runs, each under its own thread id."""
    graph = StateGraph(ShellState, context_schema=Walk)
    graph.add_node("prepare", _prepare)
    graph.add_node("plan", _plan)
    graph.add_node("approve", _approve)
    graph.add_node("execute", _execute)
    graph.add_node("answer", _answer)
    graph.add_edge(START, "prepare")
    graph.add_edge("prepare", "plan")
    graph.add_edge("plan", "approve")
    graph.add_edge("approve", "execute")
    graph.add_conditional_edges("execute", _after_execute)
    graph.add_edge("answer", END)
    return graph.compile(checkpointer=checkpointer)


async def walk_run(shell: Shell, walk: Walk) -> None:
    """Take a run as far as it goes: to its end, or to where a human must answer.

    A run that waits is taken up at its interrupt; any other starts at `prepare`, where the journal tells
    every stage what is left to do.
    """
    run_id = walk.run.log.run_id
    config: RunnableConfig = {"configurable": {"thread_id": run_id}}
    waiting = bool((await shell.aget_state(config)).interrupts)
    walk.answered = waiting
    if waiting:
        await walk.prepare()  # LangGraph goes on at the interrupt, behind `prepare`
    start: ShellState | Command[str] = (
        Command(resume=walk.pending() or {"answered": True}) if waiting else ShellState(run_id=run_id)
    )
    await shell.ainvoke(start, config, context=walk, durability="sync", version="v2")


async def check_checkpoint(shell: Shell, run_id: RunId) -> None:
    """Read where a run stands, before anything of it is opened.

    Raises:
        JournalDamaged: Its checkpoint is not as it was written.
    """
    await shell.aget_state({"configurable": {"thread_id": run_id}})


async def forget_run(shell: Shell, run_id: RunId) -> None:
    """Delete the checkpoints of a run."""
    if isinstance(shell.checkpointer, BaseCheckpointSaver):
        await shell.checkpointer.adelete_thread(run_id)
