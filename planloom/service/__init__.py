"""Planloom as a service: a router and a lifespan for a FastAPI app of one's own, and the app of `planloom serve`.

Needs `pip install "planloom[service]"`.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from planloom.service.caller import Caller as Caller
    from planloom.service.caller import anyone as anyone
    from planloom.service.caller import api_keys as api_keys
    from planloom.service.limits import Limits as Limits
    from planloom.service.pages import ui as ui
    from planloom.service.routes import router as router
    from planloom.service.runtime import lifespan as lifespan
    from planloom.service.webhooks import Webhooks as Webhooks

_HOMES = {
    "Caller": "planloom.service.caller",
    "Limits": "planloom.service.limits",
    "Webhooks": "planloom.service.webhooks",
    "anyone": "planloom.service.caller",
    "api_keys": "planloom.service.caller",
    "lifespan": "planloom.service.runtime",
    "router": "planloom.service.routes",
    "ui": "planloom.service.pages",
}
__all__ = ["Caller", "Limits", "Webhooks", "anyone", "api_keys", "lifespan", "router", "ui"]


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: MCP over standard input needs no FastAPI."""
    if name not in _HOMES:
        raise AttributeError(f"module 'planloom.service' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
