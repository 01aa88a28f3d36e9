"""A run as a chat completion."""

import time
from collections.abc import Mapping

from pydantic import TypeAdapter, ValidationError

from planloom.configs.load import Workflow
from planloom.core.json import Json, JsonObject
from planloom.core.outcome import Usage
from planloom.core.result import RunResult
from planloom.service.conversation import answer_text
from planloom.service.problems import Fault, Problem
from planloom.service.progress import waits_of
from planloom.service.visit import Service

_OBJECT: TypeAdapter[JsonObject] = TypeAdapter(JsonObject)


def model_of(service: Service, name: str) -> Workflow:
    """Return the workflow that is a model.

    Raises:
        Problem: 404, there is none of that name.
    """
    if name not in service.workflows:
        raise Problem(404, "model-not-found", "There is no model of that name; GET /v1/models lists them.")
    return service.workflows[name]


def given_in(inputs: Mapping[str, Json], metadata: Mapping[str, str] | None) -> JsonObject:
    """Return the inputs that a request names, in `inputs` or as text in its metadata.

    Raises:
        Problem: 422, `inputs` in the metadata is no JSON object.
    """
    try:
        named = _OBJECT.validate_json((metadata or {}).get("inputs", "{}"))
    except ValidationError as exc:
        fault = Fault(pointer="/metadata/inputs", detail="expected a JSON object as text")
        raise Problem(422, "invalid", "The request does not fit.", errors=[fault]) from exc
    return {**named, **inputs}


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
    return {
        "run_id": result.run_id,
        "status": result.status,
        "cost_usd": result.cost_usd,
        "pending": waits_of(result.pending),
    }
