"""A Python function with type hints: its JSON Schema, and calls with JSON arguments."""

import asyncio
import inspect
from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import copy_context
from threading import Thread
from typing import get_type_hints

from pydantic import BaseModel, ConfigDict, Field, PydanticUserError, TypeAdapter, ValidationError, create_model
from pydantic_core import PydanticSerializationError, to_jsonable_python

from planloom.core.errors import ToolError
from planloom.core.json import Json, JsonObject
from planloom.tools.raised import told, trace_of

KEY = "idempotency_key"
"""Parameter that the engine fills in; no model sees it."""
_JSON: TypeAdapter[Json] = TypeAdapter(Json)


class TypedFunction:
    """A function that is called with JSON and answers with JSON.

    Args:
        name: Of the tool, for errors.
        function: Sync or async; a sync one runs in a thread of its own.

    Raises:
        TypeError: A parameter has no type hint, or cannot be given by name.
        NameError: A type hint names what is not there.
        PydanticUserError: A type hint is one that JSON cannot fill.
    """

    def __init__(self, name: str, function: Callable[..., object]) -> None:
        self._name, self._function = name, function
        self._arguments = _arguments(function)
        self.schema = _schema(self._arguments)
        self.returns = _returns(function)
        self.takes_key = KEY in inspect.signature(function).parameters

    async def __call__(self, args: JsonObject) -> Json:
        """Call it; the key is passed on where the function takes one.

        Raises:
            ToolError: The arguments do not fit, it raised, or its result is not JSON.
        """
        given = self._converted({name: value for name, value in args.items() if name != KEY})
        if self.takes_key and KEY in args:
            given[KEY] = args[KEY]
        try:
            value = await self._run(given)
        except ToolError:
            raise
        except (Exception, SystemExit) as exc:  # whatever a user's function raises is its answer
            raise ToolError(self._name, told(exc), trace=trace_of(exc)) from exc
        return as_json(self._name, value)

    def named(self, args: JsonObject) -> JsonObject:
        """Return those of the arguments that the function has a name for."""
        properties = self.schema.get("properties")
        known = set(properties) if isinstance(properties, dict) else set[str]()
        return {name: value for name, value in args.items() if name in known or name == KEY}

    def _converted(self, args: JsonObject) -> dict[str, object]:
        """Turn JSON arguments into what the type hints say."""
        try:
            checked = self._arguments.model_validate(args)
        except ValidationError as exc:
            problems = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in exc.errors(include_url=False)]
            raise ToolError(self._name, "; ".join(problems), permanent=True) from exc
        fields = self._arguments.model_fields
        return {str(fields[name].alias): getattr(checked, name) for name in checked.model_fields_set}

    async def _run(self, given: Mapping[str, object]) -> object:
        if inspect.iscoroutinefunction(self._function):
            return await self._function(**given)
        value = await _in_thread(self._function, given)
        return await value if inspect.isawaitable(value) else value


def as_json(tool: str, value: object) -> Json:
    """Return what somebody's code gave as JSON.

    Raises:
        ToolError: It is none.
    """
    try:
        return _JSON.validate_python(to_jsonable_python(value, inf_nan_mode="null"))
    except (PydanticSerializationError, ValidationError, RecursionError, ValueError) as exc:
        raise ToolError(tool, f"its result is not JSON: {exc}") from exc


async def _in_thread(function: Callable[..., object], given: Mapping[str, object]) -> object:
    """Run a sync function in a thread of its own; one that never ends holds up neither others nor the exit."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[object] = loop.create_future()

    def tell(settle: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop is gone: nobody waits any more
            loop.call_soon_threadsafe(lambda: None if done.done() else settle())

    def work() -> None:
        try:
            value = function(**given)
        except BaseException as exc:
            plain = isinstance(exc, Exception | SystemExit) and not isinstance(exc, StopIteration)
            error = exc if plain else RuntimeError(f"{type(exc).__name__}: {exc}")
            tell(lambda: done.set_exception(error))
        else:
            tell(lambda: done.set_result(value))

    Thread(target=copy_context().run, args=(work,), name=f"tool {function!r}"[:60], daemon=True).start()
    return await done


def _arguments(function: Callable[..., object]) -> type[BaseModel]:
    """Return a model of the parameters; its fields have other names so that none is reserved.

    Raises:
        TypeError: A parameter has no type hint, or cannot be given by name.
    """
    signature = inspect.signature(function)
    target = function if inspect.isroutine(function) else getattr(function, "__call__", function)  # noqa: B004
    hints = get_type_hints(target, include_extras=True)
    fields: dict[str, tuple[object, object]] = {}
    for name, parameter in signature.parameters.items():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"parameter {parameter} cannot be given by name")
        if name == KEY:
            continue
        if name not in hints:
            raise TypeError(f"parameter {name!r} has no type hint")
        required = parameter.default is parameter.empty
        default: object = ... if required else parameter.default
        fields[f"argument_{name}"] = (hints[name], Field(default, alias=name))
    config = ConfigDict(extra="forbid", title=getattr(function, "__name__", "arguments"))
    return _make(fields, config)


def _returns(function: Callable[..., object]) -> JsonObject | None:
    """Return the JSON Schema of the results; `None` where the type hint does not tell."""
    target = function if inspect.isroutine(function) else getattr(function, "__call__", function)  # noqa: B004
    hint = get_type_hints(target).get("return")
    if hint is None:
        return None
    adapter: TypeAdapter[object]
    try:
        adapter = TypeAdapter(hint)
        schema = _JSON.validate_python(to_jsonable_python(adapter.json_schema(mode="serialization")))
    except PydanticUserError:
        return None  # any object may be returned; what is not JSON fails when it is called
    return schema if isinstance(schema, dict) else None


def _make(fields: Mapping[str, tuple[object, object]], config: ConfigDict) -> type[BaseModel]:
    maker: Callable[..., type[BaseModel]] = create_model
    return maker("Arguments", __config__=config, **fields)


def _schema(arguments: type[BaseModel]) -> JsonObject:
    """Return the JSON Schema of the arguments, without the titles pydantic adds."""
    schema = _JSON.validate_python(to_jsonable_python(arguments.model_json_schema()))
    if not isinstance(schema, dict):
        raise TypeError("expected a schema of an object")
    schema.pop("title", None)
    properties = schema.setdefault("properties", {})
    if isinstance(properties, dict):
        for part in properties.values():
            if isinstance(part, dict):
                part.pop("title", None)
    return schema
