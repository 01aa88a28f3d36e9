"""One life of the process that runs the workflow; the harness kills it."""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from planloom.configs.load import Workflow
from planloom.engine import Engine


@dataclass(frozen=True)
class Life:
    """What a process is told when it begins."""

    workflow: str
    journal: str
    base_url: str
    receiver: str
    run_id: str
    """Empty to start the run."""
    answers: Mapping[str, bool]

    @property
    def environment(self) -> Mapping[str, str]:
        return {"RECEIVER": self.receiver, "OPENAI_API_KEY": "none"}

    @property
    def command(self) -> Sequence[str]:
        """The command that does the same."""
        given = ["--journal", self.journal, "--base-url", self.base_url, "--plain"]
        for node, approved in self.answers.items():
            given += ["--approve" if approved else "--reject", node]
        what = ["resume", self.run_id] if self.run_id else ["run", self.workflow]
        return [sys.executable, "-P", "-m", "planloom", *what, *given]


def live(life: Life) -> None:
    """Start the run, or take it up where its journal ends; the process ends with the run or where it waits."""
    os.environ.update(life.environment)
    asyncio.run(_live(life))


async def _live(life: Life) -> None:
    async with Engine(journal=life.journal, base_url=life.base_url) as engine:
        if life.run_id:
            await engine.resume(life.run_id, life.answers)
        else:
            await engine.run(Workflow.from_yaml(life.workflow))
