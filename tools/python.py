"""The tool `python`: code in the sandbox."""

from base64 import b64encode

from planloom.configs.spec import PythonSpec, ToolSpec
from planloom.core.errors import ToolError
from planloom.core.json import Json, JsonObject, closed
from planloom.core.plan import ToolName
from planloom.tools.base import Tool
from planloom.tools.sandbox import Sandbox

_WAIT_S = 120.0
_DESCRIPTION = """Run Python code in a sandbox without network and without files of the host.
Returns {value, stdout}: value is the variable `result`, or else the value of the last expression, as JSON; \
stdout is what was printed. The names in `inputs` are variables of the code. Nothing is kept between calls. \
Fails with the type, message and line of the error."""
_PARAMETERS = closed(
    {
        "code": {"type": "string", "description": "Python source"},
        "inputs": {"type": "object", "description": "variables of the code, by name"},
    },
    required=["code"],
)


class PythonSource:
    """One operation under the source's own name."""

    def __init__(self, name: str, spec: ToolSpec, sandbox: Sandbox) -> None:
        self._name, self._spec, self._sandbox = name, spec, sandbox
        self._python = spec.python or PythonSpec()

    def tools(self) -> tuple[Tool, ...]:
        """The one tool."""
        tool = Tool(
            name=ToolName(self._name),
            description=self._spec.description or _DESCRIPTION,
            parameters=_PARAMETERS,
            effect=self._spec.effect or "pure",
            call=self._call,
            timeout_s=self._spec.timeout + _WAIT_S,
            max_parallel=self._spec.max_parallel,
        )
        return (tool,)

    async def open(self) -> None:
        """Nothing to do: the sandbox starts its boxes when they are needed."""

    async def close(self) -> None:
        """Nothing to do: the sandbox belongs to the engine."""

    async def _call(self, args: JsonObject) -> Json:
        code, inputs = args["code"], args.get("inputs", {})
        if not isinstance(code, str) or not isinstance(inputs, dict):
            raise ToolError(self._name, "expected code as text and inputs as an object")
        result = await self._sandbox.run(
            code,
            inputs,
            timeout_s=self._spec.timeout,
            box=self._python.box,
            max_memory_mb=self._python.max_memory_mb,
            keep_files=self._python.files,
        )
        if result.error:
            where = f" (line {result.line})" if result.line else ""
            printed = f"\nprinted before: {result.stdout[-1000:]}" if result.stdout else ""
            raise ToolError(self._name, f"{result.error}{where}{printed}")
        found: JsonObject = {"value": result.value, "stdout": result.stdout}
        if self._python.files:
            found["files"] = {name: _file(content) for name, content in result.files.items()}
        return found


def _file(content: bytes) -> JsonObject:
    """Return a file as text, or as base64 where it is none."""
    size = len(content)
    try:
        return {"bytes": size, "text": content.decode()}
    except UnicodeDecodeError:
        return {"bytes": size, "base64": b64encode(content).decode()}
