"""Any Python function with type hints as a tool."""

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import PydanticUserError

from planloom.configs.spec import ToolSpec
from planloom.core.errors import ConfigError, Problem
from planloom.core.fields import read_field
from planloom.core.json import JsonObject
from planloom.core.plan import Effect, ToolName
from planloom.tools.base import Happened, Tool, Trust, Verify, marked
from planloom.tools.raised import place_of, told
from planloom.tools.typed import KEY, TypedFunction

_MARKS = "__planloom_tool__"
_MAX_DESCRIPTION_CHARS = 2000
_Function = TypeVar("_Function", bound=Callable[..., object])


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolMarks:
    """What `@tool` says about a function."""

    effect: Effect
    description: str
    trust: Trust
    trusted_fields: tuple[str, ...]
    control: frozenset[str] | None
    data: frozenset[str] | None
    idempotent: bool
    verify: Callable[..., object] | None


def tool(
    *,
    effect: Effect = "read",
    description: str = "",
    trust: Trust = "untrusted",
    trusted_fields: Collection[str] = (),
    control: Collection[str] | None = None,
    data: Collection[str] | None = None,
    idempotent: bool = False,
    verify: Callable[..., object] | None = None,
) -> Callable[[_Function], _Function]:
    """Say what calling a function does to the world, and how models see it.

    Args:
        effect: `pure`, `read` or `write`; a `write` function may take `idempotency_key: str`, which is the
            same on every retry and resume.
        description: Shown to models in place of the docstring.
        trust: `trusted` if its results hold nothing that others wrote.
        trusted_fields: Otherwise, the fields of its results that the system behind it makes itself and that no one
            else can write into, such as ids it assigns: `id`, `items[].id`, `[].id`.
        control: Parameters that say where a call goes or what it does; untrusted values fill them only where
            a person granted it. Left out: all parameters of a `write` function, none of any other.
        data: The other way round: all parameters but these are control.
        idempotent: For `write`: calling it twice with the same arguments is the same as calling it once.
        verify: For `write`: asked, with the same arguments, what became of a call that was cut off or reported an
            error. It returns `None` or `False` when nothing happened, `True` or the call's result when it did.
    """
    if control is not None and data is not None:
        raise ValueError("expected at most one of control, data; found both")
    if trust == "trusted" and trusted_fields:
        raise ValueError("trust='trusted' says it of every field; leave trusted_fields out")
    for field in trusted_fields:
        read_field(field)

    def mark(function: _Function) -> _Function:
        marks = ToolMarks(
            effect=effect,
            description=description,
            trust=trust,
            trusted_fields=tuple(trusted_fields),
            control=None if control is None else frozenset(control),
            data=None if data is None else frozenset(data),
            idempotent=idempotent,
            verify=verify,
        )
        setattr(function, _MARKS, marks)
        return function

    return mark


def marks_of(function: Callable[..., object]) -> ToolMarks | None:
    """Return what `@tool` said about `function`."""
    found: object = getattr(function, _MARKS, None)
    return found if isinstance(found, ToolMarks) else None


def load_function(ref: str, base_dir: Path, *, field: str = "ref") -> Callable[..., object]:
    """Import `module:function` as `load_object` does.

    Raises:
        ConfigError: There is no such module or function, or it is not callable, or importing it failed.
    """
    found = load_object(ref, base_dir, field=field)
    if not callable(found):
        module_name, _, attribute = ref.partition(":")
        raise _fault(base_dir, field, f"{attribute!r} in module {module_name!r} is not callable")
    return found


def load_object(ref: str, base_dir: Path, *, field: str = "ref") -> object:
    """Import `module:name`.

    Args:
        ref: What to import.
        base_dir: A file `module.py` in it comes first; it is searched last for packages.
        field: Where the workflow names it, for the error.

    Raises:
        ConfigError: There is no such module or name, or importing it failed.
    """
    module_name, _, attribute = ref.partition(":")
    try:
        found: object = getattr(_import(module_name, base_dir), attribute)
    except AttributeError as exc:
        raise _fault(base_dir, field, f"module {module_name!r} has no {attribute!r}") from exc
    except ModuleNotFoundError as exc:
        raise _fault(base_dir, field, _missing(exc, module_name)) from exc
    except Exception as exc:  # whatever a user's module raises while it is imported
        message = f"importing {module_name!r} failed: {told(exc)}"
        raise _fault(base_dir, field, message) from exc
    return found


def _missing(error: ModuleNotFoundError, module_name: str) -> str:
    """Say which module is missing, and which line wanted it where that is not the workflow itself."""
    if error.name is not None and f"{module_name}.".startswith(f"{error.name}."):
        return f"there is no module {error.name!r}"
    return f"there is no module {error.name!r}, which {module_name!r} imports ({place_of(error)})"


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
        self._name, self._spec = name, spec
        self._marks = marks_of(function)
        self._call = _typed(name, function, ".ref" if spec.ref else "")
        verify = self._marks.verify if self._marks else None
        self._verify = verify_hook(name, verify) if verify else None
        self._about = inspect.getdoc(function)

    def tools(self) -> tuple[Tool, ...]:
        """The one tool."""
        marks, spec = self._marks, self._spec
        about = spec.description or (marks.description if marks else "") or self._about
        made = Tool(
            name=ToolName(self._name),
            description=(about or f"The function {self._name}.")[:_MAX_DESCRIPTION_CHARS],
            parameters=self._call.schema,
            returns=self._call.returns,
            effect=spec.effect or (marks.effect if marks else "read"),
            call=self._call,
            timeout_s=spec.timeout,
            max_parallel=spec.max_parallel,
            idempotency_parameter=KEY if self._call.takes_key else None,
            idempotent=marks.idempotent if marks else False,
            verify=self._verify,
        )
        if marks is None:
            return (made,)
        fields = marks.trusted_fields
        return (marked(made, trust=marks.trust, fields=fields, control=marks.control, data=marks.data),)

    async def open(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Nothing to do."""


def verify_hook(name: str, function: Callable[..., object]) -> Verify:
    """Return a function as the hook that finds out what became of a write.

    It is called with those arguments of the write that it has a name for. `None` or `False` says that the write did
    not happen, `True` that it did and returned nothing, anything else is what it returned.

    Raises:
        ConfigError: A parameter has no type hint, or one that JSON cannot fill.
    """
    typed = _typed(name, function, ".verify")

    async def ask(args: JsonObject) -> Happened | None:
        found = await typed(typed.named(args))
        if found is None or found is False:
            return None
        return Happened(result=None if found is True else found)

    return ask


def _typed(name: str, function: Callable[..., object], key: str) -> TypedFunction:
    try:
        return TypedFunction(name, function)
    except (TypeError, NameError, PydanticUserError) as exc:
        raise _fault(name, f"tools.{name}{key}", str(exc)) from exc
