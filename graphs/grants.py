"""What a node may call: its grants laid over the toolbox."""

from collections.abc import Iterable, Mapping

from planloom.core.errors import ToolError
from planloom.core.json import Json, JsonObject
from planloom.core.plan import Grant
from planloom.graphs.calls import Calls
from planloom.graphs.gate import Gate
from planloom.models.base import ToolOffer
from planloom.tools.base import Tool
from planloom.tools.toolbox import Toolbox


class GrantedTools:
    """The tools of one attempt. Names are written with `__` for `.`, which models' APIs do not take.

    Args:
        toolbox: All tools of the workflow.
        grants: What the plan gave this node, with references filled in.
        calls: Makes the calls.
        gate: Asked before each call.
    """

    def __init__(self, toolbox: Toolbox, grants: Iterable[Grant], calls: Calls, gate: Gate) -> None:
        self._calls = calls
        self._gate = gate
        self._granted: dict[str, tuple[Tool, Grant]] = {}
        self._left: dict[str, int] = {}
        for grant in grants:
            for tool in toolbox.expand(grant.tool):
                self._granted[tool.name.replace(".", "__")] = (tool, grant)
            if grant.max_calls is not None:
                self._left[grant.tool] = grant.max_calls

    @property
    def offers(self) -> tuple[ToolOffer, ...]:
        """The tools as the model sees them: fixed arguments are not shown."""
        return tuple(
            ToolOffer(name=name, description=tool.description, parameters=_without(tool.parameters, grant.args))
            for name, (tool, grant) in self._granted.items()
        )

    async def call(self, name: str, args: JsonObject) -> Json:
        """Call a granted tool.

        Raises:
            ToolError: It is not granted, its calls are used up, its arguments are wrong, or it failed.
            FlowHeldError: A human must approve this call first.
        """
        if name not in self._granted:
            granted = ", ".join(self._granted) or "none"
            raise ToolError(name, f"this node has no tool {name!r}; it has: {granted}")
        tool, grant = self._granted[name]
        left = self._left.get(grant.tool)
        if left == 0:
            raise ToolError(name, f"its {grant.max_calls} calls are used up; finish with what you have")
        if left is not None:
            self._left[grant.tool] = left - 1
        self._gate.check(tool, {**args, **grant.args}, set(args) - set(grant.args))
        try:
            return await self._calls.make(tool, args, fixed=grant.args)
        finally:
            self._gate.was_read(tool)


def _without(schema: JsonObject, fixed: Mapping[str, Json]) -> JsonObject:
    properties, required = schema.get("properties"), schema.get("required")
    if not fixed or not isinstance(properties, dict):
        return schema
    out = dict(schema)
    out["properties"] = {name: value for name, value in properties.items() if name not in fixed}
    if isinstance(required, list):
        out["required"] = [name for name in required if name not in fixed]
    return out
