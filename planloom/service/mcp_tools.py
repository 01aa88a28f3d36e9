"""Workflows as tools of an MCP server, whatever carries it."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from importlib.metadata import version
from typing import TypeAlias

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

from planloom.configs.load import Workflow
from planloom.core import events as ev
from planloom.core.errors import PlanloomError
from planloom.core.json import Json, JsonObject
from planloom.core.result import RunResult
from planloom.core.view import RunView
from planloom.service.catalogue import input_schema
from planloom.service.progress import as_text, asks, line_of

Context: TypeAlias = ServerRequestContext[object]
Follow: TypeAlias = Callable[[Context, str, JsonObject], AsyncGenerator[ev.AnyEvent | None]]
"""Starts a run of a workflow by name and yields its events until it is at rest; closed before that, it cancels it."""

_ABOUT = "Each tool is a workflow. A call takes as long as its run; one that waits for a person says how to answer."
_WAITS: JsonObject = {
    "type": "object",
    "properties": {"node": {"type": "string"}, "reason": {"type": "string"}, "bound_to": {"type": "string"}},
    "required": ["node", "reason", "bound_to"],
}
_OUTPUT: JsonObject = {
    "type": "object",
    "properties": {
        "run_id": {"type": "string"},
        "status": {"enum": ["done", "partial", "waiting"]},
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


def server_of(workflows: Mapping[str, Workflow], follow: Follow) -> Server[object]:
    """Return a server that offers workflows as tools.

    Args:
        workflows: By name.
        follow: Runs one.
    """
    tools = [_tool(name, workflow) for name, workflow in workflows.items()]

    async def list_tools(context: Context, params: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=tools)

    async def call_tool(context: Context, params: CallToolRequestParams) -> CallToolResult:
        if params.name not in workflows:
            raise MCPError(INVALID_PARAMS, f"There is no tool {params.name!r}.")
        try:
            return _told(await _run(follow, context, params.name, params.arguments or {}))
        except PlanloomError as exc:
            return _wrong(str(exc))

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


async def _run(follow: Follow, context: Context, name: str, inputs: JsonObject) -> RunResult:
    view, told = RunView(), 0
    async with aclosing(follow(context, name, inputs)) as events:
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
    if result.status not in ("done", "partial", "waiting"):
        return _wrong(f"Run {result.run_id} is {result.status}. {result.error}".strip())
    waits = result.status == "waiting"
    pending: list[Json] = [
        {"node": str(item.node_id or "plan"), "reason": item.reason, "bound_to": item.bound_to}
        for item in result.pending
    ]
    structured: JsonObject = {
        "run_id": result.run_id,
        "status": result.status,
        "output": result.output,
        "untrusted": [*result.untrusted],
        "pending": pending,
    }
    text = asks(result.run_id, result.pending) if waits else as_text(result.output)
    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=structured)


def _wrong(text: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=True)
