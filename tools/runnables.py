"""LangChain's Runnables, and so LangGraph's graphs, as tools: known by what they can do, without importing theirs."""

from collections.abc import Mapping
from typing import Protocol, get_type_hints, runtime_checkable
from uuid import uuid4

from pydantic import PydanticUserError, TypeAdapter
from pydantic_core import to_jsonable_python

from planloom.configs.spec import ToolSpec
from planloom.core.errors import ToolError
from planloom.core.json import Json, JsonObject
from planloom.core.plan import ToolName
from planloom.tools.base import Tool
from planloom.tools.raised import told, trace_of
from planloom.tools.typed import as_json

_JSON: TypeAdapter[Json] = TypeAdapter(Json)
_INPUT = "input"
"""Parameter of one that takes something else than an object."""

_INTERRUPT = "__interrupt__"
"""Where LangGraph puts what a graph that came to no end waits for."""
_WAITS = "it stopped to ask a person (interrupt), whom a tool cannot wait for; `approve: true` asks before the node"


@runtime_checkable
class Runnable(Protocol):
    """What is used of a `langchain_core.runnables.Runnable`."""

    async def ainvoke(self, input: object, config: Mapping[str, object] | None = None) -> object:
        """Do the work."""
        ...

    def get_input_jsonschema(self) -> Mapping[str, object]:
        """Return the JSON Schema of what it takes."""
        ...


class RunnableSource:
    """One operation under the source's own name."""

    def __init__(self, name: str, spec: ToolSpec, runnable: Runnable) -> None:
        self._name, self._spec, self._runnable = name, spec, runnable
        schema = _takes(runnable)
        self._whole = schema.get("type") == "object"
        self._schema = schema if self._whole else _wrapped(schema)

    def tools(self) -> tuple[Tool, ...]:
        """The one tool."""
        return (
            Tool(
                name=ToolName(self._name),
                description=self._spec.description or f"The graph {self._name}.",
                parameters=self._schema,
                effect=self._spec.effect or "read",
                call=self._call,
                timeout_s=self._spec.timeout,
                max_parallel=self._spec.max_parallel,
            ),
        )

    async def open(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Nothing to do."""

    async def _call(self, args: JsonObject) -> Json:
        apart: dict[str, object] = {
            "configurable": {"thread_id": uuid4().hex},
            "callbacks": [],
            "tags": [],
            "metadata": {},
        }
        try:  # with a config of its own: a graph would take ours for that of a graph around it
            value = await self._runnable.ainvoke(args if self._whole else args.get(_INPUT), apart)
        except (Exception, SystemExit) as exc:  # whatever a user's graph raises is its answer
            raise ToolError(self._name, told(exc), trace=trace_of(exc)) from exc
        result = as_json(self._name, value)
        if isinstance(result, dict) and result.get(_INTERRUPT):
            raise ToolError(self._name, _WAITS)
        return result


def _takes(runnable: Runnable) -> JsonObject:
    """Return the JSON Schema of what it takes, as far as it can be told."""
    try:
        schema = _JSON.validate_python(to_jsonable_python(runnable.get_input_jsonschema()))
    except Exception:  # of a type hint of a user's that pydantic refuses, such as typing.TypedDict before Python 3.12
        state: object = getattr(getattr(runnable, "builder", None), "input_schema", None)
        return {"type": "object", "properties": _properties(state) if isinstance(state, type) else {}}
    return schema if isinstance(schema, dict) else {}


def _properties(state: type) -> JsonObject:
    """Return the schemas of a state's fields; of one whose hint cannot be told, one that takes everything."""
    found: JsonObject = {}
    for name, hint in get_type_hints(state).items():
        adapter: TypeAdapter[object]
        try:
            adapter = TypeAdapter(hint)
            schema = _JSON.validate_python(to_jsonable_python(adapter.json_schema()))
        except PydanticUserError:
            schema = {}
        found[name] = schema if isinstance(schema, dict) and "$defs" not in schema else {}
    return found


def _wrapped(schema: JsonObject) -> JsonObject:
    definitions = schema.pop("$defs", None)
    about: JsonObject = {"type": "object", "properties": {_INPUT: schema}, "required": [_INPUT]}
    return about if definitions is None else {**about, "$defs": definitions}
