# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
"""The shell: one run as a small fixed LangGraph graph, the only file that knows LangGraph.

LangGraph gives the shell its checkpoints and its interrupt; all scheduling happens inside `execute`, where
no superstep barrier can hold a branch up. The checkpointed state is the run's id and nothing else.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Literal, TypeAlias, TypedDict

import aiosqlite
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command, interrupt
from sqlalchemy import URL

from planloom.graphs.context import Run
from planloom.graphs.planning import Planning
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


async def walk_run(shell: Shell, run: Run) -> None:
    """Take a run as far as it goes: to its end, or to where a human must answer.

    A run that waits is taken up at its interrupt; any other starts at `prepare`, where the journal tells
    every stage what is left to do.
    """
    walk = Walk(run, Planning(run))
    run_id = run.log.run_id
    config: RunnableConfig = {"configurable": {"thread_id": run_id}}
    waiting = bool((await shell.aget_state(config)).interrupts)
    walk.answered = waiting
    if waiting:
        await walk.prepare()  # LangGraph goes on at the interrupt, behind `prepare`
    start: ShellState | Command[str] = (
        Command(resume=walk.pending() or {"answered": True}) if waiting else ShellState(run_id=run_id)
    )
    await shell.ainvoke(start, config, context=walk, durability="sync", version="v2")


@asynccontextmanager
async def open_checkpointer(url: URL) -> AsyncGenerator[BaseCheckpointSaver[str]]:
    """Open the checkpoint tables in the journal's database; only plain data is ever read back from them."""
    serde = JsonPlusSerializer(allowed_msgpack_modules=None)
    if url.get_backend_name() == "postgresql":
        from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
        from psycopg import AsyncConnection
        from psycopg.rows import DictRow, dict_row
        from psycopg_pool import AsyncConnectionPool

        async def alive(connection: AsyncConnection[DictRow]) -> None:
            await connection.execute("SELECT 1")

        plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
        options = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
        pool = AsyncConnectionPool(
            plain,
            connection_class=AsyncConnection[DictRow],
            kwargs=options,
            min_size=0,
            max_size=4,
            check=alive,
            open=False,
        )
        async with pool:
            shared = AsyncPostgresSaver(pool, serde=serde)
            await shared.setup()
            yield shared
        return
    async with aiosqlite.connect(url.database or ":memory:", timeout=30) as connection:
        await connection.execute("PRAGMA synchronous=NORMAL")  # as the journal: safe from a killed process
        saver = AsyncSqliteSaver(connection, serde=serde)
        await saver.setup()
        yield saver
