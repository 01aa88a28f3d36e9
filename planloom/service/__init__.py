"""Planloom as a service: a router and a lifespan for a FastAPI app of one's own, and the app of `planloom serve`.

Needs `pip install "planloom[service]"`.
"""

from planloom.service.caller import Caller as Caller
from planloom.service.caller import anyone as anyone
from planloom.service.caller import api_keys as api_keys
from planloom.service.limits import Limits as Limits
from planloom.service.pages import ui as ui
from planloom.service.routes import router as router
from planloom.service.runtime import lifespan as lifespan

__all__ = ["Caller", "Limits", "anyone", "api_keys", "lifespan", "router", "ui"]
