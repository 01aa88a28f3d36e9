"""Raising the caps of a run that exists already, so that what it has committed is kept."""

import getpass
from collections.abc import Mapping

from planloom.configs.load import Workflow
from planloom.configs.spec import BudgetSpec
from planloom.core import events as ev
from planloom.core.budget import with_caps
from planloom.core.errors import RunError
from planloom.core.json import Json
from planloom.core.view import RunView


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
