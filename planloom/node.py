"""A workflow as a node of somebody's own LangGraph graph, or a step of a LangChain chain."""

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from langchain_core.runnables import RunnableConfig, RunnableLambda
from langchain_core.runnables.config import set_config_context
from langgraph.types import interrupt
from pydantic import BaseModel, ConfigDict, JsonValue, StrictBool, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, to_jsonable_python

from planloom.configs.load import Workflow
from planloom.core.answer import Answer
from planloom.core.errors import RunError
from planloom.core.json import Json, JsonObject, canonical
from planloom.core.plan import RunId
from planloom.core.result import PendingApproval, RunResult
from planloom.engine import Engine

Inputs: TypeAlias = Mapping[str, str] | Callable[[object], Mapping[str, object]]
Output: TypeAlias = str | Callable[[RunResult], dict[str, object]]
_OBJECT: TypeAdapter[JsonObject] = TypeAdapter(JsonObject)
_STATE: TypeAdapter[dict[str, object]] = TypeAdapter(dict[str, object])
_PENDING: TypeAdapter[PendingApproval] = TypeAdapter(PendingApproval)


class _Reply(BaseModel):
    """An answer to something that waits, as the service takes one; a copy of what waits may be filled in."""

    model_config = ConfigDict(extra="ignore")
    node: str
    bound_to: str
    approved: StrictBool
    note: str = ""
    plan: dict[str, JsonValue] | None = None
    happened: StrictBool = False
    result: JsonValue = None

    @property
    def answer(self) -> Answer:
        """What it says."""
        plan: JsonObject | None = self.plan
        return Answer(approved=self.approved, note=self.note, plan=plan, happened=self.happened, result=self.result)


_REPLIES: TypeAdapter[list[_Reply]] = TypeAdapter(list[_Reply])


def as_node(
    engine: Engine, workflow: Workflow | Path | str, *, inputs: Inputs | None = None, output: Output = "output"
) -> RunnableLambda[object, dict[str, object]]:
    """Return a Runnable that runs a workflow with what is in the state and returns an update of it.

    It is for `StateGraph.add_node` as for any chain, sync or async. A sync graph runs in another thread than the
    engine's event loop: `await asyncio.to_thread(graph.invoke, state)`.

    In a graph with a checkpointer the node always has the same run, also when LangGraph asks it again. Where the run
    waits for a person, the graph is interrupted with `{"run_id", "pending": [{"node", "bound_to", ...}]}`. It goes on
    with `Command(resume=[{"node", "bound_to", "approved", ...}])`; what does not fit what waits is asked for again.

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

    async def run(state: object, config: RunnableConfig) -> dict[str, object]:
        given = _taken(loaded, state, inputs)
        run_id = _run_of(config, loaded, given)
        if run_id is None:
            return _update(await engine.run(loaded, given), output)
        result = await _carried(engine, loaded, given, run_id)
        while result.status == "waiting":
            result = await engine.resume(run_id, _answers(result, config))
        return _update(result, output)

    def run_elsewhere(state: object, config: RunnableConfig) -> dict[str, object]:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run_coroutine_threadsafe(run(state, config), loop).result()
        raise RunError("an event loop runs in this thread, which `invoke` would block; use `ainvoke`")

    return RunnableLambda(run_elsewhere, run, name=loaded.spec.name)


def _run_of(config: RunnableConfig, workflow: Workflow, inputs: JsonObject) -> RunId | None:
    """Return the id of the run that belongs to this place of a graph; `None` where no checkpointer keeps the place."""
    place = config.get("configurable", {})
    thread, task = place.get("thread_id"), place.get("checkpoint_ns")
    if thread is None or task is None:
        return None
    work = canonical([str(thread), str(task), workflow.spec.name, inputs])
    return RunId(f"graph-{hashlib.sha256(work.encode(errors='surrogatepass')).hexdigest()[:20]}")


async def _carried(engine: Engine, workflow: Workflow, inputs: JsonObject, run_id: RunId) -> RunResult:
    """Begin a run, or go on with it where it has begun; one that waits, or came to its output, stays as it is."""
    handle = engine.at_work(run_id)
    if handle is None and await engine.journal.latest(run_id) is None:
        handle = await engine.submit(workflow, inputs, run_id=run_id)
    if handle is None:
        view = await engine.view(run_id)
        if view.status in ("waiting", "done"):
            return view.result()
        handle = await engine.reopen(run_id)
    try:
        return await handle.result()
    except asyncio.CancelledError:
        await handle.cancel()
        raise


def _answers(result: RunResult, config: RunnableConfig) -> dict[str, Answer]:
    """Interrupt the graph, and return the answers that it goes on with.

    LangGraph gives a node that it asks again all answers from its first interrupt on. Those to what waited before are
    bound to something else than what waits now, and are passed over.
    """
    pending: list[Json] = [
        {**_PENDING.dump_python(item, mode="json", exclude={"node_id"}), "node": _name(item)} for item in result.pending
    ]
    while True:
        with set_config_context(config) as context:  # a sync graph's is not the one of this task
            said: object = context.run(interrupt, {"run_id": result.run_id, "pending": pending})
        try:
            given = _REPLIES.validate_python(said)
        except ValidationError:
            continue
        waits = {(_name(item), item.bound_to) for item in result.pending}
        answers = {reply.node: reply.answer for reply in given if (reply.node, reply.bound_to) in waits}
        if answers:
            return answers


def _name(item: PendingApproval) -> str:
    return str(item.node_id or "plan")


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
