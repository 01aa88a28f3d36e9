"""Changing a run that exists already, so that what it has committed is kept: another workflow, or higher caps."""

import getpass
from collections.abc import Iterator, Mapping
from dataclasses import replace

from planloom.configs.load import Workflow
from planloom.configs.nodes import to_nodes
from planloom.configs.spec import BudgetSpec
from planloom.core import events as ev
from planloom.core.budget import with_caps
from planloom.core.errors import PlanError, RunError
from planloom.core.json import Json
from planloom.core.pins import PinnedServer
from planloom.core.plan import Plan
from planloom.core.view import RunView
from planloom.graphs.compile import Compiled, compile_plan
from planloom.parts import Parts, workflow_of
from planloom.tools.discover import discover


async def changed(
    view: RunView, workflow: Workflow | None, budget: Mapping[str, Json] | None
) -> tuple[Workflow, list[ev.AnyEvent]]:
    """Return a run's workflow from now on, and the events of its change, which the view has taken in.

    Args:
        view: The run.
        workflow: Takes the place of its own; `None` leaves that.
        budget: Caps to be raised, by name.

    Raises:
        RunError: As `mended` and `raised`.
        ConfigError: As `mended` and `raised`, or its own workflow cannot be loaded any more.
    """
    events: list[ev.AnyEvent] = []
    if workflow is not None:
        mend = await mended(view, workflow)
        view.apply(mend)
        events.append(mend)
    from_now, raises = raised(view, workflow or workflow_of(view), budget)
    return from_now, [*events, *raises]


async def mended(view: RunView, workflow: Workflow) -> ev.WorkflowMended:
    """Return the event that gives a run another workflow.

    Its MCP servers stay held to what the run saw of them; those that are new to it are asked.

    Raises:
        RunError: It is the workflow of other runs.
        ConfigError: It does not take the run's inputs, or a server cannot be asked.
    """
    if workflow.spec.name != view.name:
        raise RunError(f"run {view.run_id} is of workflow {view.name!r}; {workflow.source} is {workflow.spec.name!r}")
    servers = {name for name, tool in workflow.spec.tools.items() if tool.mcp is not None}
    pins: dict[str, PinnedServer] = {name: seen for name, seen in view.pins.items() if name in servers}
    if servers - pins.keys():
        pins = {**(await discover(workflow)).servers, **pins}
    return ev.WorkflowMended(
        workflow=workflow.to_json(),
        base_dir=str(workflow.base_dir),
        inputs=workflow.check_inputs({name: view.inputs[name] for name in view.inputs if name in workflow.spec.inputs}),
        pins=pins,
        by=_user(),
    )


def mended_plan(view: RunView, parts: Parts) -> Iterator[ev.PlanReady]:
    """Yield the plan of a mended workflow where it is another one than the run has.

    A plan that a planner wrote stays, if the workflow still offers what it uses.

    Raises:
        RunError: The plan must not run; every finding is named.
    """
    if view.plan is None:
        return
    try:
        compiled = _compiled(view.plan, bool(view.edited), parts)
    except PlanError as exc:
        raise RunError(f"run {view.run_id}: under this workflow its plan must not run: {exc}") from exc
    if compiled.plan.digest != view.plan.digest:
        yield ev.PlanReady(plan=compiled.plan, purpose="mend", warnings=compiled.warnings)


def _compiled(plan: Plan, edited: bool, parts: Parts) -> Compiled:
    spec, version = parts.workflow.spec, plan.version + 1
    if spec.auto:
        facts = replace(parts.facts, by_hand=edited)
        return compile_plan(plan.nodes.values(), plan.output, facts, version=version)
    return compile_plan(to_nodes(spec.nodes).values(), spec.output, parts.facts, version=version)


def raised(
    view: RunView, workflow: Workflow, budget: Mapping[str, Json] | None
) -> tuple[Workflow, list[ev.BudgetRaised]]:
    """Return a run's workflow with other caps, and the event that says so.

    Args:
        view: The run.
        workflow: As its journal has it.
        budget: New caps by name, as a workflow writes them; nothing changes without one.

    Raises:
        RunError: There is no such cap, or one would become lower.
        ConfigError: A value is none that a workflow could have.
    """
    if not budget:
        return workflow, []
    if unknown := sorted(set(budget) - set(BudgetSpec.model_fields)):
        known = ", ".join(BudgetSpec.model_fields)
        raise RunError(f"run {view.run_id}: a budget has the caps {known}; found {unknown[0]!r}")
    wanted = Workflow.from_json(with_caps(view.workflow, budget), view.base_dir)
    caps: dict[str, float] = {}
    for name in budget:
        before, after = _cap(workflow, name), _cap(wanted, name)
        if after is None or (before is not None and after < before):
            raise RunError(f"run {view.run_id}: budget {name}: a cap can only be raised; it is {before:g} already")
        caps[name] = after
    return wanted, [ev.BudgetRaised(caps=caps, by=_user())]


def _cap(workflow: Workflow, name: str) -> float | None:
    found: float | None = getattr(workflow.spec.budget, name)
    return found


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
