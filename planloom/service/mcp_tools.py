"""Workflows as tools of an MCP server, whatever carries it."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from importlib.metadata import version
from typing import Protocol, TypeAlias

from mcp.server import Server, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
)
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from planloom.configs.load import Workflow
from planloom.core import events as ev
from planloom.core.errors import ConfigError, PlanloomError
from planloom.core.json import JsonObject
from planloom.core.result import RunResult
from planloom.core.view import RunView
from planloom.service.catalogue import input_schema
from planloom.service.progress import as_text, asks, line_of, waits_of

Context: TypeAlias = ServerRequestContext[object]
Events: TypeAlias = AsyncGenerator[ev.AnyEvent | None]


class Runs(Protocol):
    """Runs that the caller of a tool may see; every method raises `PlanloomError` where the caller may not."""

    async def begin(self, context: Context, name: str, inputs: JsonObject) -> str:
        """Start a run of a workflow by name, and return its id."""
        ...

    async def history(self, context: Context, run_id: str) -> list[ev.AnyEvent]:
        """Return what has happened in a run."""
        ...

    async def resume(self, context: Context, run_id: str) -> None:
        """Go on with a run that was cancelled, failed or cut off."""
        ...

    def follow(self, context: Context, run_id: str, after: int) -> Events:
        """Yield a run's events but for the first `after` until it is at rest; closed before that, it is cancelled."""
        ...


_ABOUT = (
    "Each tool is a workflow, and a call takes as long as its run. `run_start` starts one and returns at once; "
    "`run_status` looks at a run, also after a person has answered what it waits for; `run_resume` goes on with one "
    "that was cut off."
)
_WAITS: JsonObject = {
    "type": "object",
    "properties": {"node": {"type": "string"}, "reason": {"type": "string"}, "bound_to": {"type": "string"}},
    "required": ["node", "reason", "bound_to"],
}
_OUTPUT: JsonObject = {
    "type": "object",
    "properties": {
        "run_id": {"type": "string"},
        "status": {"enum": ["running", "done", "partial", "waiting"]},
        "output": {"description": "Output of the workflow; null while it waits for a person."},
        "untrusted": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Tools and inputs from which strangers' words may be in the output.",
        },
        "pending": {"type": "array", "description": "What waits for a person.", "items": _WAITS},
    },
    "required": ["run_id", "status", "output", "untrusted", "pending"],
}


class _Looked(BaseModel):
    """Arguments of `run_status`."""

    model_config = ConfigDict(extra="forbid")
    run_id: str


class _Resumed(_Looked):
    """Arguments of `run_resume`."""


class _Start(BaseModel):
    """Arguments of `run_start`."""

    model_config = ConfigDict(extra="forbid")
    workflow: str
    inputs: dict[str, JsonValue] = {}


_OURS: Mapping[str, tuple[type[BaseModel], str]] = {
    "run_start": (_Start, "Starts a run of a workflow and returns at once, for runs that outlast a call."),
    "run_status": (_Looked, "Tells how a run stands: its output, or what it waits for."),
    "run_resume": (_Resumed, "Goes on with a run that was cancelled, failed or cut off, and returns what it comes to."),
}
"""Tools beside the workflows; a workflow of the same name comes first."""


def server_of(workflows: Mapping[str, Workflow], runs: Runs) -> Server[object]:
    """Return a server that offers workflows as tools.

    Args:
        workflows: By name.
        runs: Starts and follows their runs.
    """
    ours = {name: about for name, about in _OURS.items() if name not in workflows}
    tools = [_tool(name, workflow) for name, workflow in workflows.items()]
    tools += [
        Tool(name=name, description=text, input_schema=arguments.model_json_schema(), output_schema=_OUTPUT)
        for name, (arguments, text) in ours.items()
    ]

    async def list_tools(context: Context, params: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=tools)

    async def call_tool(context: Context, params: CallToolRequestParams) -> CallToolResult:
        given = params.arguments or {}
        try:
            if params.name in workflows:
                run_id = await runs.begin(context, params.name, given)
                return _told(await _followed(runs, context, run_id, []))
            if params.name in ours:
                return _told(await _done(runs, context, ours[params.name][0].model_validate(given)))
        except (PlanloomError, ValidationError) as exc:
            return _wrong(_in_words(exc))
        raise MCPError(INVALID_PARAMS, f"There is no tool {params.name!r}.")

    return Server(
        "planloom",
        version=version("planloom"),
        instructions=_ABOUT,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def _tool(name: str, workflow: Workflow) -> Tool:
    return Tool(
        name=name,
        description=workflow.spec.description or f"Runs the workflow {name}.",
        input_schema=input_schema(workflow),
        output_schema=_OUTPUT,
    )


async def _done(runs: Runs, context: Context, asked: BaseModel) -> RunResult:
    """Do what one of our own tools is asked for."""
    match asked:
        case _Start():
            run_id = await runs.begin(context, asked.workflow, asked.inputs)
            return RunView(await runs.history(context, run_id)).result()
        case _Resumed():
            past = await runs.history(context, asked.run_id)
            view = RunView(past)
            if view.status in ("waiting", "done"):  # a person answers, and not the model that calls tools
                return view.result()
            await runs.resume(context, view.run_id)
            return await _followed(runs, context, view.run_id, past)
        case _Looked():
            return RunView(await runs.history(context, asked.run_id)).result()
        case _:
            raise TypeError(f"no tool takes {asked!r}")


async def _followed(runs: Runs, context: Context, run_id: str, past: Sequence[ev.AnyEvent]) -> RunResult:
    view, told = RunView(past), 0
    async with aclosing(runs.follow(context, run_id, len(past))) as events:
        async for event in events:
            if event is None:
                continue
            view.apply(event)
            line = line_of(event)
            if line is not None:
                told += 1
                await context.session.report_progress(told, message=line)
    return view.result()


def _told(result: RunResult) -> CallToolResult:
    if result.status not in ("running", "done", "partial", "waiting"):
        return _wrong(f"Run {result.run_id} is {result.status}. {result.error}".strip())
    waits = result.status == "waiting"
    structured: JsonObject = {
        "run_id": result.run_id,
        "status": result.status,
        "output": result.output,
        "untrusted": [*result.untrusted],
        "pending": waits_of(result.pending),
    }
    text = asks(result.run_id, result.pending) if waits else as_text(result.output)
    if result.status == "running":
        text = f"Run {result.run_id} is under way."
    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=structured)


def _in_words(exc: PlanloomError | ValidationError) -> str:
    """Say what was wrong with a call to whoever made it, who has no business with where our files are."""
    match exc:
        case ConfigError():
            return "\n".join(": ".join(filter(None, (item.field, item.message))) for item in exc.problems)
        case ValidationError():
            return "\n".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in exc.errors())
        case _:
            return str(exc)


def _wrong(text: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=True)
