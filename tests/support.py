"""Shapes that tests share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from planloom.configs.load import Workflow
from planloom.core.json import JsonObject

WAIT_S = 120.0
"""How long a test's client waits for an answer: what never comes fails in the end, and a slow machine is no failure."""


@dataclass
class ModelServer:
    """A scripted model server on a real port."""

    base_url: str
    requests: Sequence[JsonObject]

    def nodes(self, role: str = "worker") -> list[str]:
        """Node ids of the requests so far, in order of arrival."""
        return [str(request["node"]) for request in self.requests if request["role"] == role]

    def models(self, node: str) -> list[str]:
        """Models that were asked for a node, in order."""
        return [str(request["model"]) for request in self.requests if request["node"] == node]


class ServeModel(Protocol):
    """Starts a server for a script."""

    async def __call__(self, script: str) -> ModelServer: ...


class MakeWorkflow(Protocol):
    """Builds a workflow from what stands below `version`, `name` and `models`."""

    def __call__(self, body: str, *, models: str = ...) -> Workflow: ...
