"""A node's way from ready to settled: condition, inputs, attempts, router, commit."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from planloom.core import events as ev
from planloom.core.answer import HoldKind
from planloom.core.decision import Ask, Decision, Keep, Promote, Replan, Retry, Stop, Vote
from planloom.core.expr import ExprError, evaluate, names_in, nodes_in
from planloom.core.json import Json, JsonObject, digest
from planloom.core.outcome import Done, Failed, FailureKind
from planloom.core.plan import Node, NodeId
from planloom.core.refs import RefError, Scope, as_text, resolve
from planloom.graphs.attempt import Attempts, Job
from planloom.graphs.calls import verify_effects
from planloom.graphs.context import Outputs, Run
from planloom.graphs.decide import decide
from planloom.graphs.lint import dependencies
from planloom.graphs.progress import Progress, take_up
from planloom.graphs.recall import recall_for_worker, remember
from planloom.graphs.schedule import Settled

OnReplan: TypeAlias = Callable[[NodeId, Failed], None]


MAX_ELEMENTS = 10_000
"""Of one map; as many as a plan may have nodes."""


class Driver:
    """Drives the nodes of one run.

    Args:
        run: The run.
        on_replan: Told when a node has failed and the router wants the planner to mend the plan.
    """

    def __init__(self, run: Run, on_replan: OnReplan) -> None:
        self._run = run
        self._on_replan = on_replan
        self._attempts = Attempts(run)
        self._mend_map: dict[NodeId, Failed] = {}
        """Maps of which an element wants a replan, with that element's failure."""

    async def __call__(self, node: Node) -> Settled:
        """Drive one node whose dependencies have settled well.

        Raises:
            JournalError: What happened could not be written down.
        """
        if reason := self._skipped_need(node):
            return await self._skip(node, reason)
        scope = self._scope()
        try:
            per_element = node.map is not None and self._names_element(node)
            if not per_element and not self._wanted(node, scope):
                return await self._skip(node, f"when: {node.when} is false")
            if node.map is not None:
                return self._held(node, resolve(node.map, scope)) or await self._map(node, scope)
            job = self._job(node, scope)
            if (held := self._held(node, dict(job.values))) is not None:
                return held
        except (RefError, ExprError) as exc:
            return self._fail_on_input(node, node, exc)
        return await self._work(job)

    def _scope(self) -> Scope:
        return Scope(inputs=self._run.inputs, nodes=Outputs(self._run.view))

    def _skipped_need(self, node: Node) -> str:
        """Say which skipped node takes this one with it; empty when none does."""
        plan_nodes = self._run.view.plan.nodes if self._run.view.plan else self._run.view.provisional
        for need in dependencies(node):
            view, planned = self._run.view.nodes.get(need), plan_nodes.get(need)
            if view and view.state == "skipped" and planned and planned.on_skip == "skip":
                return f"{need} was skipped"
        return ""

    @staticmethod
    def _names_element(node: Node) -> bool:
        return node.when is not None and bool(names_in(node.when) & {"item", "index"})

    def _wanted(self, node: Node, scope: Scope) -> bool:
        if node.when is None:
            return True
        read = [NodeId(node_id) for node_id in nodes_in(node.when)]
        nodes: JsonObject = {node_id: {"output": scope.nodes.get(node_id)} for node_id in read}
        names: JsonObject = {"inputs": dict(scope.inputs), "nodes": nodes}
        if scope.index is not None:
            names.update(item=scope.item, index=scope.index)
        return bool(evaluate(node.when, names))

    def _held(self, node: Node, given: Json) -> Settled | None:
        """Hold a node that needs an approval it does not have; it is bound to what the node is given."""
        if not node.approve:
            return None
        bound_to = digest([node.digest, given])
        answer = self._run.view.approvals.get((node.id, bound_to))
        if answer is None:
            shown: JsonObject = {"tool": node.tool} if node.tool else {"goal": node.goal} if node.goal else {}
            self._run.log.note(
                ev.NodeHeld(
                    node_id=node.id,
                    reason=f"{node.effect} node waits for approval",
                    node_digest=bound_to,
                    shown={**shown, "map" if node.map is not None else "with": given},
                )
            )
            return Settled.HELD
        if answer.approved:
            return None
        self._fail(node, Failed(kind=FailureKind.DENIED, message=answer.note or "a human rejected it"))
        return Settled.FAILED

    async def _skip(self, node: Node, reason: str) -> Settled:
        await self._run.log.commit(ev.NodeSkipped(node_id=node.id, plan_version=self._version, reason=reason))
        return Settled.SKIPPED

    def _fail_on_input(self, node: Node, tried: Node, exc: Exception) -> Settled:
        """Route a node whose inputs or condition could not be worked out from what was committed."""
        progress = Progress(rungs=(), agree=None)
        progress.failed(Failed(kind=FailureKind.INPUT, message=str(exc)))
        decision = decide(self._run, tried, Failed(kind=FailureKind.INPUT, message=str(exc)), progress)
        return self._give_up(node, tried, progress, decision)

    @property
    def _version(self) -> int:
        return self._run.view.plan.version if self._run.view.plan else 0

    def _job(self, node: Node, scope: Scope) -> Job:
        """Fill a node in.

        Raises:
            RefError: A reference names what is not there.
        """
        values = {name: resolve(value, scope) for name, value in node.inputs.items()}
        grants = tuple(
            replace(grant, args={name: resolve(value, scope) for name, value in grant.args.items()})
            for grant in node.tools
        )
        goal = as_text(resolve(node.goal, scope))
        local: JsonObject = {} if scope.index is None else {"item": scope.item, "index": scope.index}
        fixed: Json = [dict(grant.args) for grant in grants]
        input_digest = digest([node.digest, values, goal, fixed, local])
        work = digest([self._run.log.run_id, node.id, values, local])
        return Job(
            node=node,
            goal=goal,
            values=values,
            grants=grants,
            local=local,
            input_digest=input_digest,
            subject=as_text(resolve(node.remember, scope)),
            work=work,
        )

    async def _map(self, node: Node, scope: Scope) -> Settled:
        """Run a map node: one element node per item, all at once, each with its own attempts."""
        items = resolve(node.map, scope)
        if not isinstance(items, list):
            raise RefError(f"map: expected a list, found {as_text(items)[:100]}")
        if len(items) > MAX_ELEMENTS:
            raise RefError(f"map: expected a list of at most {MAX_ELEMENTS} items, found {len(items)}")
        if not self._stands(node.id):
            self._run.log.note(ev.NodeExpanded(node_id=node.id, elements=len(items)))
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._element(node, replace(scope, item=item, index=index)))
                for index, item in enumerate(items)
            ]
        if broken := {index: settled for index, task in enumerate(tasks) if (settled := task.result()) is not None}:
            return self._map_broken(node, broken)
        outputs: Json = [self._run.view.nodes[_element_id(node, index)].output for index in range(len(items))]
        input_digest = digest([node.digest, items, outputs])
        if not self._stands(node.id, input_digest):
            await self._commit(node, input_digest, outputs, attempt=0)
        return Settled.DONE

    def _stands(self, node_id: NodeId, input_digest: str | None = None) -> bool:
        """Tell whether a node is done, for this input where one is named."""
        view = self._run.view.nodes.get(node_id)
        return view is not None and view.state == "done" and input_digest in (None, view.input_digest)

    async def _element(self, node: Node, scope: Scope) -> Settled | None:
        """Drive one element; return how it ended when that keeps the map from being done."""
        element = replace(node, id=_element_id(node, scope.index or 0), map=None, approve=False)
        try:
            if self._names_element(element) and not self._wanted(element, scope):
                await self._skip(element, f"when: {node.when} is false")
                return None
            settled = await self._work(self._job(element, scope), owner=node)
        except (RefError, ExprError) as exc:
            settled = self._fail_on_input(node, element, exc)
        return None if settled is Settled.DONE else settled

    def _map_broken(self, node: Node, broken: dict[int, Settled]) -> Settled:
        """Settle a map that some elements keep from being done: held if one waits, else failed."""
        if Settled.HELD in broken.values():
            return Settled.HELD
        ids = (_element_id(node, index) for index in broken)
        reasons = [f"{element_id}: {self._run.view.nodes[element_id].reason}" for element_id in ids]
        self._fail(node, Failed(kind=FailureKind.INPUT, message="; ".join(reasons)[:1000]))
        if failed := self._mend_map.pop(node.id, None):
            self._on_replan(node.id, failed)
        return Settled.FAILED

    async def _work(self, job: Job, owner: Node | None = None) -> Settled:
        """Make attempts until the node is done or the router gives up."""
        node = job.node
        done = self._run.view.committed.get((node.id, job.input_digest))
        if done is not None:
            if self._run.view.nodes[node.id].state != "done":
                await self._commit(node, job.input_digest, done.output, attempt=done.attempt, reused=True)
            await remember(self._run, job, done.output)
            return Settled.DONE
        job = replace(job, remembered=await recall_for_worker(self._run, job))
        await verify_effects(self._run, node.id)
        progress = take_up(node, job.input_digest, self._run)
        if progress.undecided and progress.last is not None:
            progress.decision = decide(self._run, node, progress.last, progress)
        while True:
            if isinstance(progress.decision, Keep):
                return await self._keep(job, progress.decision)
            if progress.decision is not None and not self._go_on(node, progress, progress.decision):
                return self._give_up(owner or node, node, progress, progress.decision)
            outcome = await self._attempt(job, progress)
            if isinstance(outcome, Done):
                await self._commit(node, job.input_digest, outcome.output, attempt=progress.attempt)
                await remember(self._run, job, outcome.output)
                return Settled.DONE
            progress.failed(outcome)
            await verify_effects(self._run, node.id)
            progress.decision = decide(self._run, node, outcome, progress)

    def _go_on(self, node: Node, progress: Progress, decision: Decision) -> bool:
        """Carry out a decision that leads to another attempt; tell whether it does."""
        match decision:
            case Retry() | Vote() | Promote():
                progress.carry_out(decision)
                return True
            case Ask():
                answer = self._run.view.approvals.get((node.id, _bound_to(node, progress)))
                return answer is not None and answer.approved
            case Keep() | Replan() | Stop():
                return False

    async def _keep(self, job: Job, kept: Keep) -> Settled:
        """Let a doubted answer count; later runs are not shown it."""
        attempts = self._run.view.nodes[job.node.id].attempts
        output = next(each.failed.output for each in attempts if each.attempt == kept.attempt and each.failed)
        await self._commit(job.node, job.input_digest, output, attempt=kept.attempt)
        return Settled.DONE

    async def _attempt(self, job: Job, progress: Progress) -> Done | Failed:
        progress.attempt += 1
        clock = asyncio.get_running_loop().time
        ready_at = clock()
        async with self._run.place_for(progress.rung_name):
            started = ev.AttemptStarted(
                waited_s=clock() - ready_at,
                node_id=job.node.id,
                attempt=progress.attempt,
                rung=progress.rung_name,
                plan_version=self._version,
                input_digest=job.input_digest,
                samples=progress.agree.samples if progress.agree else 1,
            )
            if self._run.writes_unseen(job.node):
                await self._run.log.commit(started, sync=True)  # no tool will write its intent down
            else:
                self._run.log.note(started)
            begun = time.monotonic()
            outcome = await self._attempts.once(
                job,
                attempt=progress.attempt,
                rung=progress.rung_name,
                agree=progress.agree if progress.rungs else None,
                last=progress.last,
                known=progress.known,
            )
        self._run.log.note(
            ev.AttemptEnded(
                node_id=job.node.id,
                attempt=progress.attempt,
                seconds=time.monotonic() - begun,
                evidence=outcome.evidence,
                failed=outcome if isinstance(outcome, Failed) else None,
            )
        )
        return outcome

    def _give_up(self, node: Node, tried: Node, progress: Progress, decision: Decision) -> Settled:
        """Carry out a decision that ends the attempts; `tried` is an element where `node` is a map."""
        failed = progress.last or Failed(kind=FailureKind.INTERRUPTED, message="interrupted")
        if isinstance(decision, Ask):
            bound_to = _bound_to(tried, progress)
            if (tried.id, bound_to) not in self._run.view.approvals:
                self._run.log.note(self._asked(tried, progress, decision, bound_to))
                return Settled.HELD
            failed = Failed(kind=FailureKind.DENIED, message=f"a human rejected another try: {failed.message}")
        self._fail(tried, failed)
        if isinstance(decision, Replan) and tried is not node:
            self._mend_map[node.id] = failed
        elif isinstance(decision, Replan):
            self._on_replan(node.id, failed)
        return Settled.FAILED

    def _asked(self, node: Node, progress: Progress, ask: Ask, bound_to: str) -> ev.NodeHeld:
        """Return the question that a person is to answer, with what there is to see."""
        last = progress.last
        effects = [item for item in self._run.view.effects_of(node.id).values() if item.attempt == progress.attempt]
        shown: JsonObject = {"output": last.output} if last and last.output is not None else {}
        kind: HoldKind = "attempt"
        if last is not None and last.kind is FailureKind.QUESTION:
            kind, shown = "question", {"question": last.message}
        elif last is not None and last.kind is FailureKind.FLOW:
            kind, shown = "flow", {"call": last.output}
        elif effects and self._run.in_doubt(node, progress.attempt):
            kind = "effect"
            shown["writes"] = [
                {"tool": item.tool, "args": item.args, "outcome": item.outcome, "error": item.error} for item in effects
            ]
        return ev.NodeHeld(node_id=node.id, reason=ask.reason, node_digest=bound_to, kind=kind, shown=shown or None)

    def _fail(self, node: Node, failed: Failed) -> None:
        self._run.log.note(ev.NodeFailed(node_id=node.id, plan_version=self._version, failed=failed))

    async def _commit(self, node: Node, input_digest: str, output: Json, *, attempt: int, reused: bool = False) -> None:
        """Make an output durable; only then may anyone downstream see it."""
        committed = ev.NodeCommitted(
            node_id=node.id,
            plan_version=self._version,
            input_digest=input_digest,
            output=output,
            attempt=attempt,
            reused=reused,
        )
        await self._run.log.commit(committed, sync=node.effect == "write")


def _element_id(node: Node, index: int) -> NodeId:
    return NodeId(f"{node.id}[{index}]")


def _bound_to(node: Node, progress: Progress) -> str:
    """What an answer to a question about this attempt is bound to: the very call, where one waits for approval."""
    if progress.last is not None and progress.last.kind is FailureKind.FLOW:
        return progress.last.code
    return digest([node.digest, progress.attempt])
