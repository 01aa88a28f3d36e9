"""Planloom: a big model plans, mini models execute, a router escalates on evidence."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from planloom.configs.load import Workflow as Workflow
    from planloom.core.answer import Answer as Answer
    from planloom.core.errors import BudgetExceeded as BudgetExceeded
    from planloom.core.errors import ConfigError as ConfigError
    from planloom.core.errors import PlanError as PlanError
    from planloom.core.errors import PlanloomError as PlanloomError
    from planloom.core.errors import RunError as RunError
    from planloom.core.errors import ToolError as ToolError
    from planloom.core.result import RunResult as RunResult
    from planloom.engine import Engine as Engine
    from planloom.handle import RunHandle as RunHandle
    from planloom.node import as_node as as_node
    from planloom.once import run_sync as run_sync
    from planloom.tools.functions import tool as tool

_HOMES = {
    "Answer": "planloom.core.answer",
    "BudgetExceeded": "planloom.core.errors",
    "ConfigError": "planloom.core.errors",
    "Engine": "planloom.engine",
    "PlanError": "planloom.core.errors",
    "PlanloomError": "planloom.core.errors",
    "RunError": "planloom.core.errors",
    "RunHandle": "planloom.handle",
    "RunResult": "planloom.core.result",
    "ToolError": "planloom.core.errors",
    "Workflow": "planloom.configs.load",
    "as_node": "planloom.node",
    "run_sync": "planloom.once",
    "tool": "planloom.tools.functions",
}
__all__ = [
    "Answer",
    "BudgetExceeded",
    "ConfigError",
    "Engine",
    "PlanError",
    "PlanloomError",
    "RunError",
    "RunHandle",
    "RunResult",
    "ToolError",
    "Workflow",
    "as_node",
    "run_sync",
    "tool",
]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: `import planloom` itself costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'planloom' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
