"""What the tests of the examples share: a run that has ended, and scripts without the pauses that are for watching."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import yaml
from support import ModelServer

from planloom.core.json import Json
from planloom.core.result import RunResult

ROOT = Path(__file__).parents[1]


def without_pauses(script: Path) -> str:
    """Return a rehearsal script as text; what it says stays, how long it takes does not."""
    played = yaml.safe_load(script.read_text(encoding="utf-8"))
    for rule in played["rules"]:
        rule.pop("delay", None)
        rule.get("stream", {}).pop("over", None)
    return str(yaml.safe_dump(played, sort_keys=False, allow_unicode=True))


@dataclass
class Played:
    """A run that has ended, and the server that its models were."""

    result: RunResult
    server: ModelServer
    folder: Path
    """The folder the run was started in."""

    def actions(self) -> list[tuple[str, str]]:
        return [(str(decision.node_id), decision.action) for decision in self.result.decisions]

    def evidence(self, node: str) -> list[str]:
        """What the failed attempts of a node were told, in order."""
        attempts = {str(node_id): record.attempts for node_id, record in self.result.nodes.items()}[node]
        return [item.found for attempt in attempts for item in attempt.evidence if not item.passed]


class Play(Protocol):
    """Runs a workflow file, all its models played by a script."""

    async def __call__(self, workflow: Path, script: str, inputs: Mapping[str, Json] | None = None) -> Played: ...
