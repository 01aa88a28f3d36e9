"""One attempt of one node: ask a worker, call a tool or run code, then check what came out."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace

from planloom.agents.brief import Brief
from planloom.agents.verifier import Claim, Verifier
from planloom.agents.worker import Task, schema_evidence, work
from planloom.core import events as ev
from planloom.core.check import Agree, Voice
from planloom.core.errors import BudgetExceeded, CheckError, ModelError, ToolError
from planloom.core.json import Json, JsonObject, clean
from planloom.core.outcome import Done, Failed, FailureKind, Outcome
from planloom.core.plan import Finding, Grant, Node, NodeId
from planloom.core.refs import as_text
from planloom.graphs.calls import Calls
from planloom.graphs.consensus import sample_until_agreed
from planloom.graphs.context import Run
from planloom.graphs.doubt import choice_of, weighed
from planloom.graphs.gate import FlowHeldError, Gate
from planloom.graphs.grants import GrantedTools
from planloom.graphs.handles import Handled
from planloom.graphs.meter import Meter
from planloom.graphs.panel import Session
from planloom.graphs.progress import ladder_of
from planloom.quality.reading import Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A node with every reference filled in: what an attempt works on."""

    node: Node
    goal: str
    values: Mapping[str, Json]
    """The `with` block."""
    grants: tuple[Grant, ...]
    local: Mapping[str, Json]
    """`item` and `index` in a map; else empty."""
    input_digest: str
    work: str
    """Identity of the work for what it writes: the same on every retry, resume and replan of it."""
    subject: str = ""
    """What `remember` says, filled in."""
    remembered: str = ""
    """What its worker is shown of earlier runs."""


class Attempts:
    """Makes attempts; every expected failure comes back as a value."""

    def __init__(self, run: Run) -> None:
        self._run = run

    async def once(
        self,
        job: Job,
        *,
        attempt: int,
        rung: str,
        agree: Agree | None,
        last: Failed | None,
        known: Mapping[int, Outcome],
    ) -> Outcome:
        """Make one attempt and check it.

        Args:
            job: The work.
            attempt: Number of the attempt, from 1.
            rung: Rung that is asked; empty for nodes that ask no model.
            agree: Samples that must agree; `None` for a single answer.
            last: The failed attempt before this one, whose evidence is passed on.
            known: Samples that an earlier process has drawn.
        """
        deadline = asyncio.timeout(job.node.timeout_s)
        try:
            async with deadline:
                if agree is None:
                    plain = await self._checked(job, attempt, rung, last, Voice())
                    return self._weighed(job, attempt, rung, plain)
                draw = self._samples(job, attempt, rung, agree, last)
                return await sample_until_agreed(agree, draw, known)
        except TimeoutError:
            if not deadline.expired():
                raise
            return Failed(kind=FailureKind.TIMEOUT, message=f"stopped after {job.node.timeout_s:g} s")

    def _weighed(self, job: Job, attempt: int, rung: str, outcome: Outcome) -> Outcome:
        """Let the policy weigh an answer that passed its checks, and doubt it where a stronger rung may be asked."""
        run = self._run
        if run.policy is None or isinstance(outcome, Failed) or job.node.kind != "worker":
            return outcome
        kind = job.node.id.partition("[")[0]
        choice = choice_of(run.policy, run.spec, kind, rung)
        rungs, _ = ladder_of(job.node, run.spec.rungs)
        final = rung == rungs[-1]
        if choice is None or (final and choice.set_aside):
            return outcome
        if choice.set_aside and (rung, choice.set_aside) not in run.view.policy_aside:
            run.log.note(ev.PolicySetAside(node_id=job.node.id, rung=rung, reason=choice.set_aside))
        given = [as_text(value) for value in job.values.values()]
        reading = Reading(text=as_text(outcome.output), question="\n".join([job.goal, *given]), sources=given)
        kept = final or not run.spec.route.promote or run.in_doubt(job.node, attempt)
        return weighed(choice, reading, outcome, final=kept)

    def _samples(
        self, job: Job, attempt: int, rung: str, agree: Agree, last: Failed | None
    ) -> Callable[[int], Coroutine[None, None, Outcome]]:
        async def draw(number: int) -> Outcome:
            voice = agree.voice(number)
            outcome = await self._checked(job, attempt, voice.model or rung, last, voice)
            if isinstance(outcome, Done) or outcome.kind is not FailureKind.BUDGET:
                drawn = ev.SampleDrawn(
                    node_id=job.node.id,
                    attempt=attempt,
                    sample=number,
                    asked=str(voice),
                    output=outcome.output,
                    evidence=outcome.evidence,
                    failed=outcome if isinstance(outcome, Failed) else None,
                )
                await self._run.log.commit(drawn)
            return outcome

        return draw

    async def _checked(self, job: Job, attempt: int, rung: str, last: Failed | None, voice: Voice) -> Outcome:
        outcome = await self._made(job, attempt, rung, last, voice)
        shown = self._run.log.secrets
        evidence = shown.hide(outcome.evidence)  # a check may repeat what its own function read
        if isinstance(outcome, Done):
            return replace(outcome, evidence=evidence)
        message, trace = shown.hide(outcome.message), shown.hide(outcome.trace)
        return replace(outcome, evidence=evidence, message=message, trace=trace)

    async def _made(self, job: Job, attempt: int, rung: str, last: Failed | None, voice: Voice) -> Outcome:
        try:
            outcome = await self._produce(job, attempt, rung, last, voice)
            return await self._verify(job, attempt, outcome) if isinstance(outcome, Done) else outcome
        except ModelError as exc:
            return Failed(kind=exc.kind, message=exc.message)
        except ToolError as exc:
            return Failed(kind=FailureKind.TOOL, message=str(exc), trace=exc.trace, permanent=exc.permanent)
        except CheckError as exc:
            return Failed(kind=FailureKind.BROKEN, message=self._broken(job.node, exc), trace=exc.trace)
        except FlowHeldError as exc:
            return Failed(kind=FailureKind.FLOW, message=str(exc), code=exc.bound_to, output=exc.shown)
        except BudgetExceeded as exc:
            return Failed(kind=FailureKind.BUDGET, message=str(exc))

    async def _produce(self, job: Job, attempt: int, rung: str, last: Failed | None, voice: Voice) -> Outcome:
        match job.node.kind:
            case "worker":
                outcome = await self._ask(job, attempt, rung, last, voice)
                ran = voice.method == "program" and isinstance(outcome, Done)
                return await self._run_program(job, outcome.output) if ran else outcome
            case "panel":
                return await self._convene(job, attempt, rung, last)
            case "tool":
                return await self._call(job, attempt)
            case "code":
                return await self._compute(job, job.node.code or "", {"inputs": dict(self._run.inputs)})

    async def _ask(self, job: Job, attempt: int, rung: str, last: Failed | None, voice: Voice) -> Outcome:
        tools = self._handled(job, attempt, self._granted(job, attempt, last))
        once = self._run.once_only(job.node.id, rung)
        task = Task(
            brief=self._brief(job, attempt, last, await tools.inputs()),
            max_calls=1 if once else job.node.max_calls,
            may_ask=self._run.spec.route.then == "ask",
            method=voice.method,
        )
        repairs = 0 if once else self._run.spec.route.repair
        return await work(task, self.model(job.node, rung, attempt), tools, repairs=repairs)

    async def _convene(self, job: Job, attempt: int, rung: str, last: Failed | None) -> Outcome:
        if job.node.panel is None:
            raise ValueError(f"{job.node.id} has no panel")
        granted = self._granted(job, attempt, last)
        inputs = await self._handled(job, attempt, granted).inputs()
        session = Session(
            self._run,
            job.node,
            job.node.panel,
            self._brief(job, attempt, last, inputs),
            rung=rung,
            model=lambda name: self.model(job.node, name, attempt),
            tools=lambda: self._handled(job, attempt, granted),
        )
        return await session.hold()

    def _brief(self, job: Job, attempt: int, last: Failed | None, inputs: Mapping[str, Json]) -> Brief:
        return Brief(
            node_id=job.node.id,
            attempt=attempt,
            goal=job.goal,
            inputs=inputs,
            schema=dict(job.node.output) if job.node.output is not None else None,
            evidence=tuple(item for item in last.evidence if not item.passed) if last else (),
            rejected=last.output if last else None,
            remembered=job.remembered,
            notes=self._run.view.notes_of(job.node.id),
        )

    def _granted(self, job: Job, attempt: int, last: Failed | None) -> GrantedTools:
        gate = Gate(self._run, job.node, tainted=last is not None)
        return GrantedTools(self._run.toolbox, job.grants, self._calls(job, attempt), gate)

    def _handled(self, job: Job, attempt: int, granted: GrantedTools) -> Handled:
        return Handled(granted, self._run.log, job.values, node_id=job.node.id, attempt=attempt)

    async def _call(self, job: Job, attempt: int) -> Outcome:
        (tool,) = self._run.toolbox.expand(job.node.tool or "")
        Gate(self._run, job.node).check(tool, dict(job.values), set())
        return self._fit(job, await self._calls(job, attempt).make(tool, dict(job.values), fixed={}))

    def _calls(self, job: Job, attempt: int) -> Calls:
        return Calls(self._run, node_id=job.node.id, attempt=attempt, work=job.work)

    async def _run_program(self, job: Job, written: Json) -> Outcome:
        """Run what a worker wrote in place of a result, and take what it comes to."""
        program = written.get("program") if isinstance(written, dict) else None
        outcome = await self._compute(job, program if isinstance(program, str) else "", {})
        as_words = isinstance(outcome, Done) and job.node.output is None
        return replace(outcome, output=as_text(outcome.output)) if as_words else outcome

    async def _compute(self, job: Job, code: str, names: JsonObject) -> Outcome:
        names = {**names, **job.local, **job.values}
        timeout_s = job.node.timeout_s or 60.0
        result = await self._run.sandbox.run(code, names, timeout_s=timeout_s)
        if result.error:
            line = f"line {result.line}: " if result.line else ""
            return Failed(kind=FailureKind.TOOL, message=f"code: {line}{result.error}")
        return self._fit(job, result.value)

    def _broken(self, node: Node, error: CheckError) -> str:
        """Return what must be mended, with the line of the workflow where the check stands."""
        message = f"this check cannot run, whatever the answer is: {error.message}"
        finding = Finding(code="bad_node", message=message, node_id=node.id, field=f"checks[{error.index}]")
        return str(self._run.workflow.as_config_error([finding]))

    def _fit(self, job: Job, value: Json) -> Outcome:
        """Check what a tool or code returned against the node's schema."""
        try:
            value = clean(value)
        except ValueError as exc:
            return Failed(kind=FailureKind.SCHEMA, message=f"the result cannot be kept: {exc}")
        problems = schema_evidence(value, job.node.output) if job.node.output is not None else []
        if not problems:
            return Done(output=value)
        first = problems[0]
        message = f"{first.where}: expected {first.expected}, found {first.found}"
        return Failed(kind=FailureKind.SCHEMA, message=message, evidence=tuple(problems), output=value)

    async def _verify(self, job: Job, attempt: int, done: Done) -> Outcome:
        if not job.node.checks:
            return done
        run = self._run
        verifier = Verifier(
            run.sandbox, run.load, lambda name: self.model(job.node, name or run.spec.rungs[-1], attempt)
        )
        claim = Claim(
            node_id=job.node.id,
            attempt=attempt,
            goal=job.goal,
            output=done.output,
            values={**job.local, **job.values},
            inputs=run.inputs,
        )
        evidence = await verifier.verify(claim, job.node.checks)
        broken = next((item for item in evidence if not item.passed), None)
        if broken is None:
            return replace(done, evidence=(*done.evidence, *evidence))
        message = f"{broken.check}: expected {broken.expected}, found {broken.found}"
        if broken.expected.endswith("."):  # a sentence of the workflow's own
            message = f"{broken.check}: {broken.expected} Found {broken.found}"
        return Failed(kind=FailureKind.CHECK, message=message, evidence=evidence, output=done.output)

    def model(self, node: Node, rung: str, attempt: int) -> Meter:
        """Return a rung's model, paid from the node's account."""
        run = self._run
        owner = NodeId(node.id.partition("[")[0])  # a map's elements share its cap
        ledger = run.ledger_of(owner, node.max_cost_usd)
        return Meter(run.rungs[rung], ledger, run.log, node_id=node.id, attempt=attempt, desk=run.desk)
