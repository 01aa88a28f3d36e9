"""Several plans for one task, compared by what they would do: the one that enough planners mean runs."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from planloom.configs.nodes import node_json
from planloom.core import events as ev
from planloom.core.check import Agree, Voice
from planloom.core.errors import BudgetExceeded, ModelError, PlanError
from planloom.core.json import JsonObject
from planloom.core.outcome import Done, Failed, FailureKind, Outcome
from planloom.core.plan import Finding
from planloom.graphs.compile import Compiled, compile_plan
from planloom.graphs.consensus import sample_until_agreed
from planloom.graphs.context import Run
from planloom.graphs.plan_graph import differences, plan_graph

Write: TypeAlias = Callable[[str, Voice, Sequence[JsonObject]], Coroutine[None, None, Compiled]]
"""Has a plan written on a rung, in some way, by one who may see plans that differ.

Raises:
    PlanError: It may not run, repairs and all.
    ModelError: The model gave no usable reply.
    BudgetExceeded: A call does not fit the budget.
"""


@dataclass(slots=True)
class PlanVote:
    """One comparison of plans.

    Every plan is journaled when it is there, so that a process which takes the run up asks only for the others.
    """

    run: Run
    agree: Agree
    write: Write
    drafts: dict[int, Compiled] = field(default_factory=dict[int, Compiled])
    """Plans that may run, by number."""
    error: str = ""
    """Why the last one that is no plan is none."""
    spent: BudgetExceeded | None = None

    async def hold(self) -> Compiled:
        """Return the plan that enough planners mean; without one, a stronger planner's, or else the soundest there is.

        Raises:
            PlanError: Nobody wrote a plan that may run.
            BudgetExceeded: A call does not fit the budget.
        """
        known = {number: self._known(drafted) for number, drafted in self.run.view.drafts.items()}
        votes = {number: outcome for number, outcome in known.items() if number < self.agree.samples}
        outcome = await sample_until_agreed(self.agree, self._draw, votes)
        found = "; ".join(item.found for item in outcome.evidence)
        if isinstance(outcome, Done):
            taken = next(number for number in sorted(self.drafts) if self._graph(number) == outcome.output)
            return await self._take(taken, "agreed", found)
        if self.spent is not None:
            raise self.spent
        for number, rung in enumerate(self.run.spec.stronger_planners, start=self.agree.samples):
            if number not in known and number not in self.drafts:
                await self._drawn(number, rung, Voice(), self._shown())
            if self.spent is not None:
                raise self.spent
            if number in self.drafts:
                return await self._take(number, "next rung", found)
        if not self.drafts:
            raise PlanError([Finding(code="empty_plan", message=f"nobody wrote a plan that may run: {self.error}")])
        return await self._take(min(self.drafts, key=self._rank), "lint", found)

    def _known(self, drafted: ev.PlanDrafted) -> Outcome:
        """Take in a plan that an earlier process had; one that cannot be had is not asked for again."""
        if drafted.plan is None:
            self.error = drafted.error
            return Failed(kind=FailureKind.SCHEMA, message=drafted.error)
        nodes, output = drafted.plan.nodes.values(), drafted.plan.output
        try:
            self.drafts[drafted.sample] = compile_plan(nodes, output, self.run.facts)
        except PlanError as exc:  # under a workflow that was corrected meanwhile
            self.error = str(exc)
            return Failed(kind=FailureKind.SCHEMA, message=str(exc))
        return Done(output=self._graph(drafted.sample))

    async def _draw(self, number: int) -> Outcome:
        voice = self.agree.voice(number)
        return await self._drawn(number, voice.model or self.run.spec.planner_rung or "", voice, ())

    async def _drawn(self, number: int, rung: str, voice: Voice, shown: Sequence[JsonObject]) -> Outcome:
        try:
            compiled = await self.write(rung, voice, shown)
        except BudgetExceeded as exc:
            self.spent = exc
            return Failed(kind=FailureKind.BUDGET, message=str(exc))
        except (ModelError, PlanError) as exc:
            self.error = str(exc)
            drafted = ev.PlanDrafted(sample=number, rung=rung, asked=str(voice), error=str(exc))
            await self.run.log.commit(drafted)
            return Failed(kind=FailureKind.SCHEMA, message=str(exc))
        self.drafts[number] = compiled
        graph = self._graph(number)
        await self.run.log.commit(
            ev.PlanDrafted(sample=number, rung=rung, asked=str(voice), plan=compiled.plan, graph=graph)
        )
        return Done(output=graph)

    def _graph(self, number: int) -> str:
        plan = self.drafts[number].plan
        return f"{len(plan.nodes)} nodes {plan_graph(plan, self.run.facts.tools).digest}"

    def _shown(self) -> list[JsonObject]:
        """Return one plan of each kind there is, as a planner writes it."""
        different = {self._graph(number): self.drafts[number].plan for number in sorted(self.drafts, reverse=True)}
        return [
            {"nodes": [node_json(node) for node in plan.nodes.values()], "output": plan.output}
            for plan in different.values()
        ]

    def _rank(self, number: int) -> tuple[int, int, int]:
        """Return what goes first where nothing else decides: fewest warnings, most votes, asked first."""
        graphs = [self._graph(other) for other in self.drafts]
        return len(self.drafts[number].warnings), -graphs.count(self._graph(number)), number

    async def _take(self, taken: int, because: ev.PlanChoice, found: str) -> Compiled:
        mine = self.drafts[taken]
        others = {self._graph(number): number for number in sorted(self.drafts, reverse=True)}
        others.pop(self._graph(taken), None)
        told = [
            f"plan {number}: {differences(mine.plan, self.drafts[number].plan, self.run.facts.tools)}"
            for number in sorted(others.values())
        ]
        await self.run.log.commit(ev.PlansCompared(taken=taken, because=because, found=found, dissent="; ".join(told)))
        return mine
