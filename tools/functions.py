"""Any Python function with type hints as a tool."""

import asyncio
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import contextmanager, suppress
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, PydanticUserError, TypeAdapter, ValidationError, create_model
from pydantic_core import PydanticSerializationError, to_jsonable_python

from planloom.configs.spec import ToolSpec
from planloom.core.errors import ConfigError, Problem, ToolError
from planloom.core.json import Json, JsonObject
from planloom.core.plan import Effect, ToolName
from planloom.tools.base import Tool, Trust, marked

_KEY = "idempotency_key"
_MARKS = "__planloom_tool__"
_MAX_DESCRIPTION_CHARS = 2000
_JSON: TypeAdapter[Json] = TypeAdapter(Json)
_Function = TypeVar("_Function", bound=Callable[..., object])


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolMarks:
    """What `@tool` says about a function."""

    effect: Effect
    description: str
    trust: Trust
    control: frozenset[str] | None
    data: frozenset[str] | None


def tool(
    *,
    effect: Effect = "read",
    description: str = "",
    trust: Trust = "untrusted",
    control: Collection[str] | None = None,
    data: Collection[str] | None = None,
) -> Callable[[_Function], _Function]:
    """Say what calling a function does to the world, and how models see it.

    Args:
        effect: `pure`, `read` or `write`; a `write` function may take `idempotency_key: str`, which is the
            same on every retry and resume.
        description: Shown to models in place of the docstring.
        trust: `trusted` if its results hold nothing that others wrote.
        control: Parameters that say where a call goes or what it does; untrusted values fill them only where
            a person granted it. Left out: all parameters of a `write` function, none of any other.
        data: The other way round: all parameters but these are control.
    """
    if control is not None and data is not None:
        raise ValueError("expected at most one of control, data; found both")

    def mark(function: _Function) -> _Function:
        marks = ToolMarks(
            effect=effect,
            description=description,
            trust=trust,
            control=None if control is None else frozenset(control),
            data=None if data is None else frozenset(data),
        )
        setattr(function, _MARKS, marks)
        return function

    return mark


def marks_of(function: Callable[..., object]) -> ToolMarks | None:
    """Return what `@tool` said about `function`."""
    found: object = getattr(function, _MARKS, None)
    return found if isinstance(found, ToolMarks) else None


def load_function(ref: str, base_dir: Path, *, field: str = "ref") -> Callable[..., object]:
    """Import `module:function`.

    Args:
        ref: What to import.
        base_dir: A file `module.py` in it comes first; it is searched last for packages.
        field: Where the workflow names it, for the error.

    Raises:
        ConfigError: There is no such module or function, or it is not callable, or importing it failed.
    """
    module_name, _, attribute = ref.partition(":")
    try:
        found: object = getattr(_import(module_name, base_dir), attribute)
    except AttributeError as exc:
        raise _fault(base_dir, field, f"module {module_name!r} has no {attribute!r}") from exc
    except ModuleNotFoundError as exc:
        raise _fault(base_dir, field, f"there is no module {exc.name!r}") from exc
    except Exception as exc:  # whatever a user's module raises while it is imported
        message = f"importing {module_name!r} failed: {type(exc).__name__}: {exc}"
        raise _fault(base_dir, field, message) from exc
    if not callable(found):
        raise _fault(base_dir, field, f"{attribute!r} in module {module_name!r} is not callable")
    return found


def _fault(path: Path | str, field: str, message: str) -> ConfigError:
    return ConfigError(path, [Problem(message, field)])


def _import(name: str, base_dir: Path) -> object:
    """Import a module; a file beside the workflow comes before anything else of that name."""
    beside = (base_dir / f"{name}.py").resolve()
    if "." not in name and beside.is_file():
        return _load_file(name, beside)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as exc:
        if exc.name is None or not f"{name}.".startswith(f"{exc.name}."):
            raise
    with _searched(base_dir):
        importlib.invalidate_caches()
        return importlib.import_module(name)


def _load_file(name: str, path: Path) -> object:
    """Load one file under a name of its own, so that two workflows may each have their `my_tools.py`."""
    unique = f"{name}@{path}"
    if unique in sys.modules:
        return sys.modules[unique]
    spec = importlib.util.spec_from_file_location(unique, path)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"cannot load {path}", name=name)
    module = importlib.util.module_from_spec(spec)
    sys.modules[unique] = module
    try:
        with _searched(path.parent):
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[unique]
        raise
    return module


@contextmanager
def _searched(folder: Path) -> Generator[None]:
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


class FunctionSource:
    """One operation under the source's own name."""

    def __init__(self, name: str, spec: ToolSpec, function: Callable[..., object]) -> None:
        """Read the signature.

        Raises:
            ConfigError: A parameter has no type hint, or one that JSON cannot fill.
        """
        self._name, self._spec, self._function = name, spec, function
        self._marks = marks_of(function)
        try:
            self._arguments = _arguments(function)
            self._schema = _schema(self._arguments)
        except (TypeError, NameError, PydanticUserError) as exc:
            raise _fault(name, f"tools.{name}.ref", str(exc)) from exc

    def tools(self) -> tuple[Tool, ...]:
        """The one tool."""
        marks, spec = self._marks, self._spec
        takes_key = _KEY in inspect.signature(self._function).parameters
        about = spec.description or (marks.description if marks else "") or inspect.getdoc(self._function)
        made = Tool(
            name=ToolName(self._name),
            description=(about or f"The function {self._name}.")[:_MAX_DESCRIPTION_CHARS],
            parameters=self._schema,
            effect=spec.effect or (marks.effect if marks else "read"),
            call=self._call,
            timeout_s=spec.timeout,
            max_parallel=spec.max_parallel,
            idempotency_parameter=_KEY if takes_key else None,
        )
        return (marked(made, trust=marks.trust, control=marks.control, data=marks.data) if marks else made,)

    async def open(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Nothing to do."""

    async def _call(self, args: JsonObject) -> Json:
        given = self._converted({name: value for name, value in args.items() if name != _KEY})
        if _KEY in args:
            given[_KEY] = args[_KEY]
        try:
            value = await self._run(given)
        except ToolError:
            raise
        except (Exception, SystemExit) as exc:  # whatever a user's function raises is its answer
            raise ToolError(self._name, f"{type(exc).__name__}: {exc}"[:4000]) from exc
        try:
            return _JSON.validate_python(to_jsonable_python(value, inf_nan_mode="null"))
        except (PydanticSerializationError, ValidationError, RecursionError, ValueError) as exc:
            raise ToolError(self._name, f"its result is not JSON: {exc}") from exc

    def _converted(self, args: JsonObject) -> dict[str, object]:
        """Turn JSON arguments into what the type hints say."""
        try:
            checked = self._arguments.model_validate(args)
        except ValidationError as exc:
            problems = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in exc.errors(include_url=False)]
            raise ToolError(self._name, "; ".join(problems)) from exc
        fields = self._arguments.model_fields
        return {str(fields[name].alias): getattr(checked, name) for name in checked.model_fields_set}

    async def _run(self, given: Mapping[str, object]) -> object:
        if inspect.iscoroutinefunction(self._function):
            return await self._function(**given)
        value = await _in_thread(self._function, given)
        return await value if inspect.isawaitable(value) else value


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
        if name == _KEY:
            continue
        if name not in hints:
            raise TypeError(f"parameter {name!r} has no type hint")
        required = parameter.default is parameter.empty
        default: object = ... if required else parameter.default
        fields[f"argument_{name}"] = (hints[name], Field(default, alias=name))
    config = ConfigDict(extra="forbid", title=getattr(function, "__name__", "arguments"))
    return _make(fields, config)


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
