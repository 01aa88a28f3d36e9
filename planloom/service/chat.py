"""A run as a chat completion: what fills its inputs, and what is told of it."""

import time
from collections.abc import Mapping, Sequence

from pydantic import TypeAdapter, ValidationError

from planloom.configs.load import Workflow
from planloom.core.json import Json, JsonObject
from planloom.core.outcome import Usage
from planloom.core.result import RunResult
from planloom.service.chat_shapes import ChatRequest, Message
from planloom.service.problems import Fault, Problem
from planloom.service.progress import as_text, asks

_OBJECT: TypeAdapter[JsonObject] = TypeAdapter(JsonObject)


def inputs_of(workflow: Workflow, request: ChatRequest) -> JsonObject:
    """Return the inputs that a conversation stands for.

    What `inputs` names is taken as it is. The last message of a user fills the string input `task`; without one, the
    only string input that must still be given; without one, the only string input there is. An array input named
    `messages` gets the whole conversation.

    Raises:
        Problem: 422, `inputs` in the metadata is no JSON object.
    """
    given = {**_of_metadata(request.metadata or {}), **request.inputs}
    specs = {name: spec for name, spec in workflow.spec.inputs.items() if name not in given}
    texts = {name: spec.required for name, spec in specs.items() if spec.type == "string"}
    needed = [name for name, required in texts.items() if required]
    chosen = ["task"] if "task" in texts else needed or list(texts)
    if len(chosen) == 1:
        given[chosen[0]] = _last_said(request.messages)
    if "messages" in specs and specs["messages"].type == "array":
        given["messages"] = [{"role": message.role, "content": message.text} for message in request.messages]
    return given


def _of_metadata(metadata: Mapping[str, str]) -> JsonObject:
    try:
        return _OBJECT.validate_json(metadata.get("inputs", "{}"))
    except ValidationError as exc:
        fault = Fault(pointer="/metadata/inputs", detail="expected a JSON object as text")
        raise Problem(422, "invalid", "The request does not fit.", errors=[fault]) from exc


def _last_said(messages: Sequence[Message]) -> str:
    said = [message.text for message in messages if message.role == "user"]
    if not said:
        fault = Fault(pointer="/messages", detail="expected a message of a user, found none")
        raise Problem(422, "invalid", "The request does not fit.", errors=[fault])
    return said[-1]


def answer_text(result: RunResult) -> str:
    """Return what a run at rest says to whoever asked: its output, or what it waits for.

    Raises:
        Problem: 422, it came to no output.
    """
    if result.status == "waiting":
        return asks(result.run_id, result.pending)
    if result.status == "done" or (result.status == "partial" and result.output is not None):
        return as_text(result.output)
    detail = f"Run {result.run_id} is {result.status}. {result.error}".strip()
    raise Problem(422, "run-failed", detail)


def completion_of(result: RunResult, model: str) -> JsonObject:
    """Return a run at rest as a chat completion.

    Raises:
        Problem: As `answer_text`.
    """
    choice: JsonObject = {
        "index": 0,
        "message": {"role": "assistant", "content": answer_text(result), "refusal": None},
        "logprobs": None,
        "finish_reason": "stop",
    }
    head = _head(result.run_id, model, "chat.completion")
    return {**head, "choices": [choice], "usage": usage_of(result.usage), "planloom": about(result)}


def chunk_of(run_id: str, model: str, delta: JsonObject, finish_reason: str | None = None) -> JsonObject:
    """Return a piece of a streamed completion."""
    choice: JsonObject = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return {**_head(run_id, model, "chat.completion.chunk"), "choices": [choice]}


def usage_chunk_of(result: RunResult, model: str) -> JsonObject:
    """Return the last piece of a streamed completion for a client that wants to know what it took."""
    head = _head(result.run_id, model, "chat.completion.chunk")
    return {**head, "choices": [], "usage": usage_of(result.usage)}


def _head(run_id: str, model: str, kind: str) -> JsonObject:
    return {
        "id": f"chatcmpl-{run_id}",
        "object": kind,
        "created": int(time.time()),
        "model": model,
        "system_fingerprint": run_id,
    }


def usage_of(usage: Usage) -> JsonObject:
    """Return tokens under OpenAI's names."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def about(result: RunResult) -> JsonObject:
    """Return what a completion says of its run besides."""
    pending: list[Json] = [
        {"node": str(item.node_id or "plan"), "reason": item.reason, "bound_to": item.bound_to}
        for item in result.pending
    ]
    return {
        "run_id": result.run_id,
        "status": result.status,
        "cost_usd": result.cost_usd,
        "pending": pending,
    }
