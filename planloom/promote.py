"""Promotion: the plan of a run that is done becomes a workflow of its own, which needs no planner to run again."""

import asyncio
import re
from pathlib import Path

from planloom.configs.load import Workflow
from planloom.configs.nodes import ID_PATTERN
from planloom.configs.promote import Promotion, promote_plan
from planloom.core.pins import Pins
from planloom.core.plan import Plan
from planloom.engine import Engine
from planloom.tools.pinned import pin_of


async def promote(engine: Engine, run_id: str, output: str | Path | None = None) -> Promotion:
    """Turn the plan of a run into a parametric static workflow.

    Args:
        engine: An open engine whose journal holds the run.
        run_id: Its id, a prefix of it, or `last`.
        output: Where the file will stand, which gives the workflow its name; nothing is written here. `None` is
            the current folder.

    Raises:
        RunError: There is no such run, or it is not done.
        ConfigError: The run's workflow cannot be loaded any more, or its tools have changed.
    """
    view = await engine.view(run_id)
    workflow = await asyncio.to_thread(Workflow.from_json, view.workflow, view.base_dir)
    servers = Pins(servers=view.pins)
    tools = (await engine.check(workflow, servers)).tools
    granted = sorted({str(tool.name) for name in _granted(view.plan) for tool in tools.get(name, ())})
    file = Path(output) if output is not None else Path.cwd() / f"{workflow.spec.name}.yaml"
    folder = file.resolve().parent
    made = promote_plan(
        view,
        workflow,
        name=file.stem if re.match(ID_PATTERN, file.stem) else workflow.spec.name,
        pins={name: pin_of(tool) for name in granted for tool in tools[name]},
        folder=folder,
    )
    await engine.check(Workflow.from_text(made.text, base_dir=folder, source=str(file)), servers)
    return made


def _granted(plan: Plan | None) -> set[str]:
    nodes = plan.nodes.values() if plan is not None else ()
    return {name for node in nodes for name in (node.tool, *(grant.tool for grant in node.tools)) if name}
