"""Caps of a run as its workflow writes them."""

from collections.abc import Mapping

from planloom.core.json import Json, JsonObject


def with_caps(workflow: JsonObject, caps: Mapping[str, Json]) -> JsonObject:
    """Return a workflow with these caps in place of its own of the same name."""
    budget = workflow.get("budget")
    return {**workflow, "budget": {**(budget if isinstance(budget, dict) else {}), **caps}}
