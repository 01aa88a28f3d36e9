"""What one run of a workflow needs: its models, tools and findings, made and checked before it starts."""

import asyncio
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from planloom.configs.document import child
from planloom.configs.load import Workflow
from planloom.configs.lock import locked
from planloom.configs.policy import read_policy
from planloom.core.errors import ConfigError, PlanError, Problem, RunError
from planloom.core.pins import Pins
from planloom.core.plan import Finding
from planloom.core.view import RunView
from planloom.graphs.context import check_refs, facts_of, sandboxed
from planloom.graphs.doubt import set_aside
from planloom.graphs.estimate import Checked, check_workflow, odd_inputs
from planloom.graphs.lint import Facts
from planloom.graphs.odds import foreseen
from planloom.models.gateway import Gateway, Rung
from planloom.models.prices import price_of
from planloom.models.script import load_script, scripts_of
from planloom.quality.policy import Policy
from planloom.tools.discover import discover
from planloom.tools.functions import load_function
from planloom.tools.imports import lacking
from planloom.tools.pinned import drift
from planloom.tools.sandbox import Sandbox
from planloom.tools.toolbox import Toolbox

if TYPE_CHECKING:
    from planloom.models.gateway import Answer


@dataclass(frozen=True, slots=True)
class Wire:
    """What stands over the workflow's own word on where models answer; `None` is nothing."""

    script: str | None
    base_url: str | None


@dataclass(frozen=True, slots=True)
class Parts:
    """What one run of a workflow needs, made and checked before it starts."""

    workflow: Workflow
    pins: Pins
    rungs: Mapping[str, Rung]
    toolbox: Toolbox
    facts: Facts
    checked: Checked
    policy: Policy | None
    """What sends answers up that passed their checks; `None` where the workflow names none."""


def workflow_of(view: RunView) -> Workflow:
    """Return the copy of its workflow that a run keeps.

    Raises:
        RunError: The folder that its paths start from is gone.
        ConfigError: It cannot be loaded any more; every problem names the run.
    """
    if not Path(view.base_dir).is_dir():
        raise RunError(
            f"run {view.run_id}: the folder of its workflow, {view.base_dir}, is not there any more; "
            "move it back to go on, or start a new run from where the workflow is now"
        )
    source = f"workflow of run {view.run_id} in {view.base_dir}"
    return Workflow.from_json(view.workflow, view.base_dir, source=source)


class Maker:
    """Makes the parts of runs from what an engine shares among them.

    Args:
        gateway: Makes the rungs.
        sandbox: Where code runs.
        models: Rungs from Python by the name the workflow uses.
        functions: Python functions by the name of the tool source.
    """

    def __init__(
        self,
        gateway: Gateway,
        sandbox: Sandbox,
        models: "Mapping[str, Answer]",
        functions: Mapping[str, Callable[..., object]],
    ) -> None:
        self._gateway = gateway
        self._sandbox = sandbox
        self._models = models
        self._functions = functions

    async def opened(self, workflow: Workflow, wire: Wire, pins: Pins | None = None) -> Parts:
        """Make what a run needs and open its models, so that the run's clock does not pay for imports.

        Args:
            workflow: What is to be run.
            wire: Where models answer.
            pins: What its MCP servers are held to; `None` takes the lock file, or else asks them.

        Raises:
            ConfigError: The workflow must be fixed first, an API key is missing, or a server cannot be asked.
        """
        with at_lines_of(workflow):
            pins = pins or await asyncio.to_thread(locked, workflow) or await discover(workflow)
        parts = await asyncio.to_thread(self.make, workflow, wire, pins)
        with at_lines_of(workflow):
            for rung in parts.rungs.values():
                await rung.open()
        return parts

    def make(self, workflow: Workflow, wire: Wire, pins: Pins) -> Parts:
        """Make what one run of a workflow needs; nothing is opened or called yet.

        Raises:
            ConfigError: The workflow must be fixed first.
        """
        named = workflow.spec.route.policy
        policy = read_policy(workflow.base_dir / named) if named else None  # a file of its own: it has its own lines
        with at_lines_of(workflow):
            rungs = self._rungs(workflow, wire)
            toolbox = Toolbox(
                workflow.spec.tools,
                base_dir=workflow.base_dir,
                sandbox=self._sandbox,
                functions=self._functions,
                pins=pins,
                secrets=workflow.secrets,
            )
            _refuse_drift(workflow, toolbox, pins)
            facts = facts_of(workflow, toolbox, by_hand=not workflow.spec.auto)
            for ref, field in check_refs(workflow.spec):
                load_function(ref, workflow.base_dir, field=field)
            problems = [Problem(lack, field) for code, field in sandboxed(workflow.spec) for lack in lacking(code)]
            if problems:
                raise ConfigError(workflow.source, problems)
            checked = check_workflow(workflow, facts, rungs)
            absent = [
                Finding(code="missing_file", field=lack.field, message=lack.message, fatal=False)
                for lack in toolbox.absent()
            ]
            aside = set_aside(policy, workflow.spec) if policy is not None else ()
            checked = replace(checked, findings=(*checked.findings, *absent, *aside, *odd_inputs(workflow.spec)))
            if policy is not None and checked.plan is not None:
                found = foreseen(workflow.spec, policy, rungs, checked.plan, checked.estimates)
                checked = replace(checked, payoffs=found)
            return Parts(workflow, pins, rungs, toolbox, facts, checked, policy)

    def _rungs(self, workflow: Workflow, wire: Wire) -> dict[str, Rung]:
        specs = workflow.spec.models
        if unknown := sorted(set(self._models) - set(specs)):
            message = f"the program passes a model {unknown[0]!r}, which does not stand here"
            raise ConfigError(workflow.source, [workflow.problem("models", message)])
        script = load_script(wire.script) if wire.script is not None else None
        scripts = scripts_of(specs, workflow.base_dir) if script is None else dict.fromkeys(specs, script)
        rungs: dict[str, Rung] = {}
        for name, spec in specs.items():
            if name in self._models:
                rungs[name] = self._gateway.plugged(
                    name,
                    self._models[name],
                    price=price_of(spec),
                    max_output_tokens=spec.max_output_tokens,
                    max_parallel=spec.max_parallel,
                    timeout_s=spec.timeout,
                )
            else:
                there = spec.model_copy(update={"base_url": wire.base_url}) if wire.base_url else spec
                rungs[name] = self._gateway.rung(name, there, rehearsal=scripts.get(name))
        return rungs


def check(workflow: Workflow) -> Checked:
    """Compile a workflow as `Engine.check` does, without an engine: nothing is opened or asked.

    Raises:
        ConfigError: It must be fixed first; every finding is listed with line and column.
    """
    maker = Maker(Gateway(), Sandbox(), models={}, functions={})
    return maker.make(workflow, Wire(script=None, base_url=None), locked(workflow) or Pins()).checked


def _refuse_drift(workflow: Workflow, toolbox: Toolbox, pins: Pins) -> None:
    """Hold the tools against what the workflow says they were.

    Raises:
        ConfigError: One is not as it was.
    """
    specs = workflow.spec.tools
    unasked = {name for name, tool in specs.items() if tool.mcp is not None and name not in pins.servers}
    problems = [
        workflow.problem(child("pins", name), f"{name} is not as it was when this was written down: {told}")
        for name, told in drift(workflow.spec.pins, toolbox.tools)
        if name.partition(".")[0] not in unasked
    ]
    if problems:
        raise ConfigError(workflow.source, problems)


@contextmanager
def at_lines_of(workflow: Workflow) -> Generator[None]:
    """Give errors about a workflow the file, lines and columns they are about."""
    try:
        yield
    except PlanError as exc:
        raise workflow.as_config_error(exc.findings) from exc
    except ConfigError as exc:
        if any(problem.line for problem in exc.problems):
            raise  # it is about another file, which it names
        problems = [workflow.problem(problem.field, problem.message) for problem in exc.problems]
        raise ConfigError(workflow.source, problems) from exc
