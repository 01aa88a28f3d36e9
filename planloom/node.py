"""A workflow as a node of somebody's own LangGraph graph, or a step of a LangChain chain."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from langchain_core.runnables import RunnableLambda
from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, to_jsonable_python

from planloom.configs.load import Workflow
from planloom.core.errors import RunError
from planloom.core.json import JsonObject
from planloom.core.result import RunResult
from planloom.engine import Engine

Inputs: TypeAlias = Mapping[str, str] | Callable[[object], Mapping[str, object]]
Output: TypeAlias = str | Callable[[RunResult], dict[str, object]]
_OBJECT: TypeAdapter[JsonObject] = TypeAdapter(JsonObject)
_STATE: TypeAdapter[dict[str, object]] = TypeAdapter(dict[str, object])


def as_node(
    engine: Engine, workflow: Workflow | Path | str, *, inputs: Inputs | None = None, output: Output = "output"
) -> RunnableLambda[object, dict[str, object]]:
    """Return a Runnable that runs a workflow with what is in the state and returns an update of it.

    It is for `StateGraph.add_node` as for any chain, sync or async. A sync graph runs in another thread than the
    engine's event loop: `await asyncio.to_thread(graph.invoke, state)`.

    Args:
        engine: Entered already, in the event loop that is running.
        workflow: What is run.
        inputs: Key of the state by input, or a function from the state to the inputs; `None` takes each input from the
            key of its name, where there is one.
        output: Key of the state that gets the output, or a function from the result to the update.

    Raises:
        ConfigError: The workflow must be mended first.
        RuntimeError: No event loop is running.
    """
    loaded = workflow if isinstance(workflow, Workflow) else Workflow.from_yaml(workflow)
    loop = asyncio.get_running_loop()

    async def run(state: object) -> dict[str, object]:
        result = await engine.run(loaded, _taken(loaded, state, inputs))
        return _update(result, output)

    def run_elsewhere(state: object) -> dict[str, object]:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run_coroutine_threadsafe(run(state), loop).result()
        raise RunError("an event loop runs in this thread, which `invoke` would block; use `ainvoke`")

    return RunnableLambda(run_elsewhere, run, name=loaded.spec.name)


def _taken(workflow: Workflow, state: object, inputs: Inputs | None) -> JsonObject:
    fields = _fields(state)
    found: Mapping[str, object]
    if inputs is None:
        found = {name: fields[name] for name in workflow.spec.inputs if name in fields}
    elif callable(inputs):
        found = inputs(state)
    else:
        missing = [key for key in inputs.values() if key not in fields]
        if missing:
            raise RunError(f"the state has no {missing[0]!r}, which {workflow.spec.name} needs")
        found = {name: fields[key] for name, key in inputs.items()}
    try:
        return _OBJECT.validate_python(to_jsonable_python(dict(found)))
    except (PydanticSerializationError, ValidationError) as exc:
        raise RunError(f"what the state holds for {workflow.spec.name} is not JSON: {exc}") from exc


def _fields(state: object) -> dict[str, object]:
    """Return what a state holds: a mapping, a dataclass or a pydantic model."""
    return _STATE.validate_python(state if isinstance(state, Mapping) else getattr(state, "__dict__", {}))


def _update(result: RunResult, output: Output) -> dict[str, object]:
    """Return what a run that came to an output changes in the state.

    Raises:
        RunError: It failed, or waits for a person.
    """
    if result.status == "waiting":
        waits = ", ".join(str(item.node_id or "plan") for item in result.pending)
        raise RunError(f"run {result.run_id} waits for a person ({waits}); go on with Engine.resume")
    if result.status not in ("done", "partial"):
        raise RunError(f"run {result.run_id} is {result.status}: {result.error}")
    return {output: result.output} if isinstance(output, str) else output(result)
