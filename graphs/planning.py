"""Where plans come from while a run goes on: the workflow, the planner's stream, repairs and replans."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from planloom.agents.planner import Assignment, Draft, Trouble, draft_plan, make_plan, read_plan, repair_plan, replan
from planloom.configs.nodes import node_json, to_nodes
from planloom.configs.promotion import purpose_of
from planloom.configs.shelf import Shelved, alike, read_shelf
from planloom.core import events as ev
from planloom.core.check import Voice
from planloom.core.errors import BudgetExceeded, ModelError, PlanError
from planloom.core.expr import ExprError
from planloom.core.json import JsonObject
from planloom.core.outcome import Failed, FailureKind
from planloom.core.plan import Finding, Node, NodeId, Plan
from planloom.core.refs import RefError
from planloom.graphs.compile import Compiled, compile_plan, finish
from planloom.graphs.context import Run
from planloom.graphs.lint import dependencies, lint_node
from planloom.graphs.meter import Meter
from planloom.graphs.patch import Bounds, apply_patch, cone, guard, lint_patch
from planloom.graphs.plan_vote import PlanVote
from planloom.graphs.recall import recall_for_planner
from planloom.graphs.schedule import Scheduler
from planloom.graphs.single import as_single
from planloom.graphs.taint import closed_failure, closed_value
from planloom.tools.pinned import drift


@dataclass(slots=True)
class Planning:
    """Makes and mends the plan of one run."""

    run: Run
    scheduler: Scheduler | None = None
    failures: dict[NodeId, Failed] = field(default_factory=dict[NodeId, Failed])
    """Failed nodes the planner has not been told of yet."""
    replanning: bool = False
    calls: int = 0
    offers: tuple[Shelved, ...] = ()
    """Plans of similar tasks, for the planner to adapt."""
    asks_single: bool = False
    """The planner said of its last draft that one worker should do it."""
    remembered: str = ""
    """What the planner is shown of earlier runs."""
    error: str = ""
    """Why there is no plan; ends the run and keeps what is committed."""

    def static_plan(self) -> Compiled:
        """Compile the workflow's own nodes.

        Raises:
            PlanError: They must not run.
        """
        spec = self.run.spec
        return compile_plan(to_nodes(spec.nodes).values(), spec.output, self.run.facts)

    async def adopt(self, compiled: Compiled, purpose: ev.PlanPurpose) -> None:
        """Make a compiled plan the one that runs."""
        await self.run.log.commit(ev.PlanReady(plan=compiled.plan, purpose=purpose, warnings=compiled.warnings))
        if self.scheduler is None:
            return
        if self.run.plan_unapproved:  # it waits for a human; only what runs already goes on
            under_way = [
                node for node in compiled.plan.nodes.values() if self.run.view.nodes[node.id].state == "running"
            ]
            self.scheduler.replace(under_way, {node.id: frozenset[NodeId]() for node in under_way})
        else:
            self.scheduler.replace(compiled.plan.nodes.values(), compiled.deps)

    async def write_plan(self) -> None:
        """Have the planner write the plan; nodes are handed on while it still writes."""
        try:
            if (kept := await self._reused()) is not None:
                await self.adopt(kept, "reuse")
                return
            compiled = self._as_single(await self._write_plan())
        except (ModelError, BudgetExceeded, PlanError) as exc:
            self.error = f"no plan: {exc}"
            if self.scheduler is not None:
                self.scheduler.replace((), {})
            return
        await self.adopt(compiled, "plan")
        self._mend_soon()

    def _as_single(self, compiled: Compiled) -> Compiled:
        if self.run.spec.planner.single == "off":
            return compiled
        single = as_single(compiled, self.run.facts, asked=self.asks_single)
        for event in single.merged:
            self.run.log.note(event)
        return single.compiled

    async def _reused(self) -> Compiled | None:
        """Look for promoted plans; return the one that was made for this very job, if it still passes the compiler."""
        spec = self.run.spec.planner
        if spec.reuse is None:
            return None
        shelf = await asyncio.to_thread(read_shelf, self.run.workflow.base_dir / spec.reuse)
        trusted = {n: v for n, v in self.run.inputs.items() if n not in self.run.facts.untrusted_inputs}
        purpose = purpose_of(self.run.spec.description, spec.instructions)
        self.offers = tuple(alike(shelf, trusted, purpose))
        for item in self.offers if spec.reuse_exact else ():
            if not item.fits(trusted, purpose):
                continue
            try:
                self._refuse_drift(item)
                return self._compile(read_plan(item.bound(self.run.inputs)))
            except PlanError as exc:
                self.run.log.note(ev.PlanRejected(purpose="reuse", findings=exc.findings))
        return None

    def _refuse_drift(self, item: Shelved) -> None:
        found = [
            Finding(code="unknown_tool", message=f"{name} is not as it was when {item.name} was written down: {told}")
            for name, told in drift(item.pins, self.run.toolbox.tools)
        ]
        if found:
            raise PlanError(found)

    async def _write_plan(self) -> Compiled:
        self.remembered = await recall_for_planner(self.run)
        if (agree := self.run.spec.planner.agreement) is not None:
            return await PlanVote(self.run, agree, self._draft).hold()
        draft = await self._first_draft()
        if draft is None:
            raise PlanError([Finding(code="bad_json", message="the planner's reply held no plan")])
        return await self._repaired(draft, self._assignment(self.offers), self._rung)

    async def _draft(self, rung: str, voice: Voice, drafts: Sequence[JsonObject]) -> Compiled:
        """Have one of several plans written, as a whole."""
        offered = tuple(item.name for item in self.offers)
        self.run.log.note(ev.PlanRequested(purpose="plan", rung=rung, offered=offered, asked=str(voice)))
        assignment = replace(self._assignment(self.offers), method=voice.method or "", drafts=drafts)
        draft = await draft_plan(assignment, self._model(rung), attempt=self.calls)
        return await self._repaired(draft, assignment, rung)

    async def _repaired(self, draft: Draft, assignment: Assignment, rung: str) -> Compiled:
        """Compile a draft; one that is rejected goes back to who wrote it."""
        for _ in range(self.run.spec.planner.repairs):
            try:
                return self._compile(draft)
            except PlanError as exc:
                self.run.log.note(ev.PlanRejected(purpose="plan", findings=exc.findings))
                self.run.log.note(ev.PlanRequested(purpose="repair", rung=rung))
                model = self._model(rung)
                draft = await repair_plan(assignment, draft.text, exc.findings, model, attempt=self.calls)
        try:
            return self._compile(draft)
        except PlanError as exc:
            self.run.log.note(ev.PlanRejected(purpose="plan", findings=exc.findings))
            raise

    async def _first_draft(self) -> Draft | None:
        """Have the plan streamed; one that breaks off on the way is asked for again, and what it started runs on.

        Raises:
            ModelError: The stream broke more often than the rung's `retries` allow, or failed in another way.
            BudgetExceeded: A call does not fit the budget.
        """
        left = self.run.rungs[self._rung].retries
        offered = tuple(item.name for item in self.offers)
        while True:
            self.run.log.note(ev.PlanRequested(purpose="plan", rung=self._rung, offered=offered))
            try:
                return await self._streamed()
            except ModelError as exc:
                if not exc.billed or exc.kind is not FailureKind.TRANSPORT or not left:
                    raise
                left -= 1

    async def _streamed(self) -> Draft | None:
        draft: Draft | None = None
        async for piece in make_plan(self._assignment(self.offers), self._model()):
            if isinstance(piece, Draft):
                draft = piece
            else:
                self._start_early(piece)
        return draft

    def _compile(self, draft: Draft) -> Compiled:
        if draft.findings:
            raise PlanError(draft.findings)
        self.asks_single = draft.single
        return compile_plan(draft.nodes.values(), draft.output, self.run.facts)

    def _start_early(self, node: Node) -> None:
        """Hand a node on while the plan is still being written; a faulty one waits for the plan's end."""
        if self.scheduler is None or self.run.spec.planner.single == "auto" or lint_node(node, self.run.facts):
            return
        if len(self.run.view.provisional) >= self.run.facts.max_nodes or node.id in self.run.view.provisional:
            return
        ready = finish(node, self.run.facts)
        try:
            deps = {ready.id: dependencies(ready)}
        except (RefError, ExprError):
            return
        self.run.log.note(ev.NodePlanned(node=ready))
        self.scheduler.grow([ready], deps, provisional=True)

    def request_replan(self, node_id: NodeId, failed: Failed) -> None:
        """Ask for the plan to be mended behind a failure; failures that come meanwhile wait for the next round.

        What could not be mended before the run waited or crashed is not asked for again.
        """
        if self.run.view.nodes[node_id].unmended:
            return
        self.failures[node_id] = failed
        self._mend_soon()

    def _mend_soon(self) -> None:
        """Start a replan for what has failed; failures met while the plan is being written wait for its end."""
        if self.failures and self.run.view.plan is not None and not self.replanning and self.scheduler is not None:
            self.replanning = True
            self.scheduler.add_source(self._replan())

    async def _replan(self) -> None:
        try:
            while self.failures and self.run.replans_left:
                if self.run.view.plan is None:
                    return
                failures, self.failures = self._still_failed(), {}
                if not failures:
                    return
                try:
                    compiled = await self._mend(self.run.view.plan, failures)
                except (ModelError, BudgetExceeded, PlanError) as exc:
                    self.run.log.note(ev.ReplanFailed(failed=tuple(failures), reason=str(exc)))
                    continue
                await self.adopt(compiled, "replan")
        finally:
            self.replanning = False

    def _still_failed(self) -> dict[NodeId, Failed]:
        """Return the failures that the plan in force has not made pointless."""
        nodes = self.run.view.nodes
        return {i: failed for i, failed in self.failures.items() if i in nodes and nodes[i].state == "failed"}

    async def _mend(self, plan: Plan, failures: dict[NodeId, Failed]) -> Compiled:
        """Ask for a patch and lay it over the plan in force.

        Raises:
            PlanError: No patch passed the compiler.
            ModelError: The planner's model gave no usable reply.
            BudgetExceeded: A call does not fit the budget.
        """
        self.remembered = await recall_for_planner(self.run)
        findings: Sequence[Finding] = ()
        by_hand = {**to_nodes(self.run.spec.nodes), **self.run.view.edited}
        bounds = Bounds(plan=plan, failed=frozenset(failures), by_hand=by_hand, facts=self.run.facts)
        for _ in range(self.run.spec.planner.repairs + 1):
            purpose: ev.PlanPurpose = "repair" if findings else "replan"
            self.run.log.note(ev.PlanRequested(purpose=purpose, rung=self._rung, failed=tuple(failures)))
            trouble = self._trouble(plan, failures)
            try:
                patch = await replan(self._assignment(), trouble, self._model(), attempt=self.calls, findings=findings)
                patch = guard(patch, bounds)
                if findings := list(lint_patch(patch, bounds)):
                    raise PlanError(findings)
                nodes, output = apply_patch(plan, patch)
                return compile_plan(nodes.values(), output, self.run.facts, version=plan.version + 1, done=self._done())
            except PlanError as exc:
                findings = exc.findings
                self.run.log.note(ev.PlanRejected(purpose="replan", findings=exc.findings))
        raise PlanError(findings)

    def _trouble(self, plan: Plan, failures: dict[NodeId, Failed]) -> Trouble:
        states = {node_id: view.state for node_id, view in self.run.view.nodes.items() if node_id in plan.nodes}
        deps = {node.id: dependencies(node) for node in plan.nodes.values()}
        labels = self.run.labels
        done = {i: self.run.view.nodes[i].output for i, state in states.items() if state == "done"}
        return Trouble(
            plan=[node_json(node) for node in plan.nodes.values()],
            output=plan.output,
            done={i: closed_value(value) if labels.output(i) else value for i, value in done.items()},
            failed={i: closed_failure(failed) if labels.output(i) else failed for i, failed in failures.items()},
            waiting=sorted(cone(failures, deps) - set(failures)),
            running=[node_id for node_id, state in states.items() if state == "running"],
        )

    def _done(self) -> dict[NodeId, Node]:
        """Return the nodes whose result is committed."""
        known = self.run.view.plan.nodes if self.run.view.plan else self.run.view.provisional
        return {
            node_id: node
            for node_id, node in known.items()
            if node_id in self.run.view.nodes and self.run.view.nodes[node_id].state == "done"
        }

    @property
    def _rung(self) -> str:
        return self.run.spec.planner_rung or ""

    def _model(self, rung: str = "") -> Meter:
        self.calls += 1
        return Meter(
            self.run.rungs[rung or self._rung], self.run.ledger, self.run.log, node_id=None, attempt=self.calls
        )

    def _assignment(self, offers: Sequence[Shelved] = ()) -> Assignment:
        spec = self.run.spec
        return Assignment(
            inputs={
                name: closed_value(value) if name in self.run.facts.untrusted_inputs else value
                for name, value in self.run.inputs.items()
            },
            input_notes={
                name: {"type": note.type, "description": note.description} for name, note in spec.inputs.items()
            },
            description=spec.description,
            tools=self.run.toolbox.catalogue(),
            max_nodes=spec.planner.max_nodes,
            instructions=spec.planner.instructions,
            offers=[item.as_offer() for item in offers],
            memory=spec.memory is not None,
            panels=spec.planner.panels,
            single=spec.planner.single == "auto",
            remembered=self.remembered,
        )
