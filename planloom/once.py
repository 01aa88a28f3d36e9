"""One run from a script that has no event loop."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from planloom.configs.load import Workflow
from planloom.core.json import Json
from planloom.core.result import RunResult
from planloom.engine import Engine


def run_sync(
    workflow: Workflow | str | Path, inputs: Mapping[str, Json] | None = None, *, engine: Engine | None = None
) -> RunResult:
    """Run a workflow from a script that has no event loop; inside one, use `Engine.run`.

    Args:
        workflow: A workflow, or the path of its file.
        inputs: Values of its inputs by name.
        engine: An engine not yet entered; `None` makes one with its defaults.

    Raises:
        ConfigError: As `Engine.run`.
    """

    async def once() -> RunResult:
        async with engine or Engine() as opened:
            return await opened.run(workflow, inputs)

    return asyncio.run(once())
