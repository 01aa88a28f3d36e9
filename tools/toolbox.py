"""All tools of a workflow behind one gate: names, schemas, limits and checked arguments."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from planloom.configs.json_schema import misfits
from planloom.configs.spec import ToolSpec
from planloom.core.errors import ConfigError, Problem, ToolError
from planloom.core.fields import write_field
from planloom.core.json import Json, JsonObject
from planloom.core.pins import Pins
from planloom.core.plan import ToolName
from planloom.core.secrets import Secrets
from planloom.tools.base import Happened, Local, Source, Tool, Verify
from planloom.tools.files import FilesSource
from planloom.tools.functions import FunctionSource, load_function, load_object, verify_hook
from planloom.tools.http import HttpSource
from planloom.tools.marks import guarded_by, strange_marks
from planloom.tools.mcp import McpSource
from planloom.tools.openapi import OpenApiSource
from planloom.tools.python import PythonSource
from planloom.tools.runnables import Runnable, RunnableSource
from planloom.tools.sandbox import Sandbox

T = TypeVar("T")
MAX_RESULT_BYTES = 20_000_000
"""Of one result as JSON; models are shown large ones as handles."""
_KINDS = ("python", "files", "http", "sql", "mcp", "ref")


class Toolbox:
    """The tools of a workflow.

    Making one connects to nothing and runs nothing but the import of functions: names, parameters and effects
    are known at once. `async with` opens what must be open for `call`.
    """

    def __init__(
        self,
        specs: Mapping[str, ToolSpec],
        *,
        base_dir: Path,
        sandbox: Sandbox,
        functions: Mapping[str, Callable[..., object]] | None = None,
        pins: Pins | None = None,
        secrets: Secrets | None = None,
    ) -> None:
        """Describe the tools.

        Args:
            specs: Tool sources by name.
            base_dir: What relative paths are relative to, and where functions are looked for last.
            sandbox: Runs the code of `python` tools; opened and closed by the caller.
            functions: Python functions by tool name, in place of or besides those that `specs` name.
            pins: What the MCP servers offer.
            secrets: What becomes `***` in results and errors, before anybody sees them.

        Raises:
            ConfigError: A source cannot be made of its spec; every fault is listed.
        """
        self._base_dir, self._sandbox = base_dir, sandbox
        self._specs, self._pins, self._secrets = specs, pins or Pins(), secrets or Secrets()
        self._sources: dict[str, Source] = {}
        self.tools: dict[ToolName, Tool] = {}
        """Every operation by name."""
        self._hooks: dict[str, Verify] = {}
        """Functions that `verify` names, by source."""
        given, problems = dict(functions or {}), list[Problem]()
        for name, spec in {**{name: ToolSpec() for name in given}, **specs}.items():
            try:
                self._sources[name] = self._make(name, spec, given.get(name))
                if spec.verify is not None:
                    hook = load_function(spec.verify, base_dir, field=f"tools.{name}.verify")
                    self._hooks[name] = verify_hook(name, hook)
            except ConfigError as exc:
                problems.extend(exc.problems)
            else:
                problems.extend(strange_marks(name, spec, self._sources[name].tools()))
        if problems:
            raise ConfigError(base_dir, problems)
        self._describe()
        self._slots = {name: asyncio.Semaphore(tool.max_parallel) for name, tool in self.tools.items()}
        self._open = AsyncExitStack()

    def _make(self, name: str, spec: ToolSpec, function: Callable[..., object] | None) -> Source:
        kinds = [kind for kind in _KINDS if getattr(spec, kind) is not None]
        field = f"tools.{name}"
        if function is not None:
            if kinds:
                message = f"the program passes a function of this name, so {kinds[0]!r} has no place here"
                raise ConfigError(self._base_dir, [Problem(message, field)])
            return FunctionSource(name, spec, function)
        if len(kinds) != 1:
            found = " and ".join(kinds) or "none"
            message = f"expected exactly one of {', '.join(_KINDS)}; found {found}"
            raise ConfigError(self._base_dir, [Problem(message, field)])
        if spec.ref is not None:
            return self._imported(name, spec, spec.ref)
        if kinds[0] == "python":
            return PythonSource(name, spec, self._sandbox)
        if spec.http is not None and spec.http.openapi:
            return OpenApiSource(name, spec, self._base_dir)
        if kinds[0] == "mcp":
            return McpSource(name, spec, self._base_dir, self._pins)
        return _IN_FOLDER[kinds[0]](name, spec, self._base_dir)

    def _imported(self, name: str, spec: ToolSpec, ref: str) -> Source:
        field = f"tools.{name}.ref"
        found = load_object(ref, self._base_dir, field=field)
        if isinstance(found, Runnable):
            return RunnableSource(name, spec, found)
        return FunctionSource(name, spec, load_function(ref, self._base_dir, field=field))

    def _describe(self) -> None:
        self.tools = {}
        for name, source in self._sources.items():
            spec = self._specs.get(name, ToolSpec())
            for tool in source.tools():
                guarded = guarded_by(spec, tool)
                hook = self._hooks.get(name, tool.verify) if tool.effect == "write" else None
                self.tools[tool.name] = replace(guarded, verify=hook)

    async def __aenter__(self) -> Self:
        """Open every source.

        Raises:
            ConfigError: What a source names cannot be opened.
        """
        async with AsyncExitStack() as stack:
            for source in self._sources.values():
                stack.push_async_callback(source.close)
                await source.open()
            self._open = stack.pop_all()
        self._describe()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.aclose()

    def expand(self, name: str) -> tuple[Tool, ...]:
        """Return all operations of a source, or the one operation of that name; nothing when there is none."""
        if name in self._sources:
            return tuple(tool for tool in self.tools.values() if tool.name.partition(".")[0] == name)
        found = self.tools.get(ToolName(name))
        return (found,) if found else ()

    def absent(self) -> Iterator[Problem]:
        """Yield which local files and folders of tools are not there now; they may be when a run opens them."""
        for name, source in self._sources.items():
            if isinstance(source, Local) and source.path is not None and not source.path.exists():
                kind = "files" if isinstance(source, FilesSource) else "sql"
                yield Problem(f"{source.path} is not there; a run opens it when it starts", f"tools.{name}.{kind}")

    def catalogue(self) -> list[JsonObject]:
        """Return what a planner is told of every operation."""
        return [_described(tool) for tool in self.tools.values()]

    async def call(
        self,
        name: ToolName,
        args: JsonObject,
        *,
        fixed: Mapping[str, Json] | None = None,
        idempotency_key: str = "",
    ) -> Json:
        """Call one operation.

        Args:
            name: The operation.
            args: What the caller, often a model, wants to pass.
            fixed: Arguments settled beforehand; `args` may repeat but not change them.
            idempotency_key: Passed on to tools that take one.

        Raises:
            ToolError: There is no such tool, the arguments do not fit, or it failed, took too long, or
                returned too much; the message may be shown to a model.
        """
        tool, merged = self.checked(name, args, fixed=fixed)
        if tool.idempotency_parameter and idempotency_key:
            merged[tool.idempotency_parameter] = idempotency_key
        async with self._slots[name]:
            value = await self._timed(tool, tool.call(merged))
        return self._bounded(tool, value)

    async def verify(self, tool: Tool, effect_args: JsonObject, *, idempotency_key: str) -> Happened | None:
        """Ask a tool's hook what became of a write; `None` says that it did not happen.

        Raises:
            ToolError: It has no hook, or the hook cannot tell.
        """
        if tool.verify is None:
            raise ToolError(tool.name, "it has no verify hook")
        key: JsonObject = {tool.idempotency_parameter: idempotency_key} if tool.idempotency_parameter else {}
        found = await self._timed(tool, tool.verify({**effect_args, **key}))
        return None if found is None else Happened(result=self._bounded(tool, found.result))

    def checked(
        self, name: ToolName, args: JsonObject, *, fixed: Mapping[str, Json] | None = None
    ) -> tuple[Tool, JsonObject]:
        """Return an operation and the arguments it would be called with.

        Raises:
            ToolError: There is no such tool, or the arguments do not fit.
        """
        tool = self.tools.get(name)
        if tool is None:
            raise ToolError(
                name, f"there is no such tool; there are: {', '.join(self.tools) or 'none'}", permanent=True
            )
        fixed = fixed or {}
        for key, value in fixed.items():
            if key in args and args[key] != value:
                raise ToolError(tool.name, f"argument {key!r} is fixed by the plan and cannot be set", permanent=True)
        merged: JsonObject = {**args, **fixed}
        known = tool.parameters.get("properties")
        if isinstance(known, dict) and (strange := [key for key in merged if key not in known]):
            raise ToolError(
                tool.name, f"no argument {strange[0]!r}; it takes: {', '.join(known) or 'none'}", permanent=True
            )
        errors = [f"{field}: {message}" for field, message in misfits(merged, tool.parameters, "arguments")]
        if errors:
            raise ToolError(tool.name, "; ".join(errors[:5]), permanent=True)
        return tool, merged

    async def _timed(self, tool: Tool, work: Awaitable[T]) -> T:
        deadline = asyncio.timeout(tool.timeout_s)
        try:
            async with deadline:
                return await work
        except ToolError as exc:
            self._secrets.hide_error(exc)
            if exc.tool == tool.name:
                raise
            raise ToolError(tool.name, exc.message, trace=exc.trace, permanent=exc.permanent) from exc
        except TimeoutError as exc:
            if not deadline.expired():
                raise ToolError(tool.name, f"timed out: {self._secrets.hide(str(exc))}") from exc
            raise ToolError(tool.name, f"took longer than {tool.timeout_s:g} s") from exc

    def _bounded(self, tool: Tool, value: Json) -> Json:
        """Return a result without secrets, if it is JSON and not too large."""
        try:
            written = json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
        except (TypeError, ValueError, RecursionError) as exc:
            raise ToolError(tool.name, f"its result is not JSON: {self._secrets.hide(str(exc))}") from exc
        if len(written) > MAX_RESULT_BYTES:
            limit = f"{len(written)} bytes of result are more than {MAX_RESULT_BYTES}"
            raise ToolError(tool.name, f"{limit}; ask for less: fewer rows or columns, a smaller limit, a summary")
        return self._secrets.hide(value) if self._secrets.found_in(written) else value


def _described(tool: Tool) -> JsonObject:
    told: JsonObject = {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "effect": tool.effect,
    }
    if tool.trusted_fields:
        told["trusted_fields"] = [*sorted(map(write_field, tool.trusted_fields))]
    return told


def _sql_source(name: str, spec: ToolSpec, base_dir: Path) -> Source:
    from planloom.tools.sql import SqlSource  # its parser takes a while to import

    return SqlSource(name, spec, base_dir)


_IN_FOLDER: Mapping[str, Callable[[str, ToolSpec, Path], Source]] = {
    "files": FilesSource,
    "http": HttpSource,
    "sql": _sql_source,
}
