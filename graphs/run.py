"""The stages of one run: prepare, plan, approve, execute, answer.

Everything worth keeping is in the journal, so every stage can be entered again after a crash.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from planloom.core import events as ev
from planloom.core.answer import Answer
from planloom.core.errors import RunError
from planloom.core.json import JsonObject
from planloom.core.outcome import FailureKind, Usage
from planloom.core.plan import NodeId
from planloom.graphs.answer import answer, output_template
from planloom.graphs.context import Run
from planloom.graphs.drive import Driver
from planloom.graphs.lint import dependencies
from planloom.graphs.planning import Planning
from planloom.graphs.reopen import answered
from planloom.graphs.schedule import Scheduler
from planloom.state.ledger import Amount


@dataclass(slots=True)
class Walk:
    """The stages of one run, in the order of the graph."""

    run: Run
    planning: Planning
    stopped: str = ""
    """The limit that stopped the run."""
    answered: bool = False
    """A human answered the interrupt at which the run waited."""

    def answer_now(self, answers: Mapping[str, Answer]) -> None:
        """Take answers in while the run goes on: what waited for them is driven at once.

        Raises:
            RunError: One is to nothing that waits, or edits the plan, which needs a run that has come to rest.
        """
        if any(answer.plan is not None for answer in answers.values()):
            raise RunError(f"run {self.run.log.run_id}: a plan is edited when nothing runs any more")
        for event in answered(self.run.view, answers):
            self.run.log.note(event)
            if isinstance(event, ev.ApprovalGiven) and event.node_id and self.planning.scheduler is not None:
                self.planning.scheduler.reopen(NodeId(event.node_id.partition("[")[0]))

    async def drain(self, grace_s: float) -> None:
        """Begin no further attempt, and return when those under way have ended or the time is over."""
        self.run.slots.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                async for _ in self.run.log.follow(max(0, len(self.run.log.events) - 1)):
                    if not self.run.view.busy:
                        return

    async def prepare(self) -> None:
        """Book what earlier processes spent; a call whose fate is unknown counts at its worst case.

        One that waits in a batch is open still, and set aside for.
        """
        view = self.run.view
        for call in list(view.open_calls.values()):
            if not self.run.desk.waits(call.call_id):
                self._give_up(call, "interrupted")
        self.run.ledger.book(Amount.of(view.usage, view.cost_usd))
        await self.run.desk.take_over()

    def _give_up(self, call: ev.CallStarted, why: str) -> None:
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
                error=f"{why}: counted at its worst case",
                kind=FailureKind.INTERRUPTED,
            )
        )

    async def plan(self) -> None:
        """Make the plan where it must be whole before anything runs; else `execute` has it streamed."""
        if self.run.view.plan is not None:
            return
        if not self.run.spec.auto:
            await self.planning.adopt(self.planning.static_plan(), "plan")
        elif self.run.spec.planner.approve == "plan":
            await self.planning.write_plan()

    def pending(self) -> JsonObject:
        """Return what waits for a human: id, or `plan`, to what it is bound to."""
        return {item.node_id or "plan": item.bound_to for item in self.run.view.pending.values()}

    @property
    def held(self) -> bool:
        """Whether something waits for a human and nothing else ended the run."""
        waits = bool(self.run.view.pending) or (self.run.plan_unapproved and not self._plan_rejected)
        return waits and not self.stopped and not self.planning.error

    async def must_wait(self) -> bool:
        """Tell whether to raise the interrupt; says in the journal that the run waits, the first time."""
        if self.answered:
            self.answered = False
            return True
        plan = self.run.view.plan
        if (
            plan is not None
            and self.run.plan_unapproved
            and not self._plan_rejected
            and None not in self.run.view.pending
        ):
            self.run.log.note(ev.PlanHeld(plan_digest=plan.digest))
        if not self.held:
            return False
        await self.run.log.commit(ev.RunEnded(status="waiting", output=None))
        return True

    async def execute(self) -> None:
        """Run the plan until nothing can move."""
        if self.planning.error or self.run.plan_unapproved:
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
        if self.run.experience is not None:
            await self.run.experience.learn(self.run.view)
        for call in self.run.desk.left_over():
            self._give_up(call, "its answer was not asked for any more")
        end = answer(self.run.view, planning_error=error, stopped=self.stopped or self._budget_stop())
        untrusted = self.run.labels.of_output(output_template(self.run.view)) if end.output is not None else ()
        ended = ev.RunEnded(status=end.status, output=end.output, error=end.error, untrusted=tuple(sorted(untrusted)))
        await self.run.log.commit(ended, sync=True)

    def _budget_stop(self) -> str:
        since = self.run.view.reopened_at
        reached = [event for event in self.run.log.events if isinstance(event, ev.BudgetReached) and event.at >= since]
        return f"budget {reached[-1].limit}: cap {reached[-1].cap:g} reached" if reached else ""
