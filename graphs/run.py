"""The walk of one run as a small fixed LangGraph graph: prepare, plan, approve, execute, answer.

LangGraph gives the shell its checkpoints and its interrupt; all scheduling happens inside `execute`, where
no superstep barrier can hold a branch up. The shell's state is the run's id and nothing else: everything
worth keeping is in the journal, so every stage can be entered again.
"""

import asyncio
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command, interrupt

from planloom.core import events as ev
from planloom.core.json import JsonObject
from planloom.core.outcome import Usage
from planloom.graphs.answer import answer
from planloom.graphs.context import Run
from planloom.graphs.drive import Driver
from planloom.graphs.lint import dependencies
from planloom.graphs.planning import Planning
from planloom.graphs.schedule import Scheduler
from planloom.state.ledger import Amount


class ShellState(TypedDict):
    """State that LangGraph checkpoints."""

    run_id: str


@dataclass(slots=True)
class Walk:
    """The stages of one run, in the order of the graph."""

    run: Run
    planning: Planning
    stopped: str = ""
    """The limit that stopped the run."""
    answered: bool = False
    """A human answered the interrupt at which the run waited."""

    async def prepare(self) -> None:
        """Book what earlier processes spent; a call whose fate is unknown counts at its worst case."""
        view = self.run.view
        for call in list(view.open_calls.values()):
            usage = Usage(input_tokens=call.reserved_tokens, calls=1)
            self.run.log.note(
                ev.CallEnded(
                    call_id=call.call_id,
                    node_id=call.node_id,
                    attempt=call.attempt,
                    rung=call.rung,
                    model="",
                    usage=usage,
                    cost_usd=call.reserved_usd,
                    seconds=0.0,
                    error="interrupted: counted at its worst case",
                )
            )
        self.run.ledger.book(Amount.of(view.usage, view.cost_usd))

    async def plan(self) -> None:
        """Make the plan where it must be whole before anything runs; else `execute` has it streamed."""
        if self.run.view.plan is not None:
            return
        if not self.run.spec.auto:
            await self.planning.adopt(self.planning.static_plan(), "plan")
        elif self._plan_needs_approval:
            await self.planning.write_plan()
        plan = self.run.view.plan
        if plan is not None and self._plan_needs_approval:
            await self.run.log.commit(ev.PlanHeld(plan_digest=plan.digest))

    @property
    def _plan_needs_approval(self) -> bool:
        return self.run.spec.planner.approve == "plan"

    def pending(self) -> JsonObject:
        """Return what waits for a human: id, or `plan`, to what it is bound to."""
        return {item.node_id or "plan": item.bound_to for item in self.run.view.pending.values()}

    @property
    def held(self) -> bool:
        """Whether something waits for a human and nothing else ended the run."""
        return bool(self.run.view.pending) and not self.stopped and not self.planning.error

    async def must_wait(self) -> bool:
        """Tell whether to raise the interrupt; says in the journal that the run waits, the first time."""
        if self.answered:
            self.answered = False
            return True
        if not self.held:
            return False
        await self.run.log.commit(ev.RunEnded(status="waiting", output=None))
        return True

    async def execute(self) -> None:
        """Run the plan until nothing can move."""
        if self.planning.error or self._plan_rejected:
            return
        run, limit_s = self.run, self.run.spec.budget.time
        scheduler = Scheduler(Driver(run, self.planning.request_replan))
        self.planning.scheduler = scheduler
        if run.view.plan is not None:
            nodes = run.view.plan.nodes.values()
            scheduler.grow(nodes, {node.id: dependencies(node) for node in nodes})
        else:
            scheduler.add_source(self.planning.write_plan())
        left_s = None if limit_s is None else max(0.0, limit_s - run.view.active_s)
        deadline = asyncio.timeout(left_s)
        try:
            async with deadline:
                await scheduler.run()
        except TimeoutError:
            if not deadline.expired() or limit_s is None:
                raise
            self.stopped = f"budget time: {limit_s:g} s are over"
            run.log.note(ev.BudgetReached(limit="time", cap=limit_s, needed=run.view.active_s))

    @property
    def _plan_rejected(self) -> bool:
        plan = self.run.view.plan
        given = self.run.view.approvals.get((None, plan.digest)) if plan else None
        return given is not None and not given.approved

    async def answer(self) -> None:
        """Write down how the run ended."""
        error = self.planning.error or ("a human rejected the plan" if self._plan_rejected else "")
        end = answer(self.run.view, planning_error=error, stopped=self.stopped or self._budget_stop())
        await self.run.log.commit(ev.RunEnded(status=end.status, output=end.output, error=end.error), sync=True)

    def _budget_stop(self) -> str:
        reached = [event for event in self.run.log.events if isinstance(event, ev.BudgetReached)]
        return f"budget {reached[-1].limit}: cap {reached[-1].cap:g} reached" if reached else ""


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
    start: ShellState | Command[str] = (
        Command(resume=walk.pending() or {"answered": True}) if waiting else ShellState(run_id=run_id)
    )
    await shell.ainvoke(start, config, context=walk, durability="sync", version="v2")
