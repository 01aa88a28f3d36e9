"""Between our messages and LangChain's."""

import json
from collections.abc import Mapping, Sequence

from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    message_chunk_to_message,
)
from langchain_core.messages.tool import ToolCall as LangChainCall

from planloom.core.json import JsonObject
from planloom.core.outcome import FailureKind, Usage
from planloom.models.base import Finish, Message, Reply, Request, ToolCall, wire_name
from planloom.models.faults import Fault
from planloom.models.sizes import estimate, size_bytes
from planloom.models.text import is_mapping, loads_object

NOT_OBJECT = "planloom_not_an_object"
"""Key under which tool arguments that are no JSON object pass through LangChain's parser."""

_LENGTH = frozenset({"length", "max_tokens", "max_output_tokens", "incomplete"})
_REFUSED = frozenset({"content_filter", "refusal", "safety"})
_BROKEN = frozenset({"error", "abort", "in_progress", "queued", "failed", "cancelled"})


def to_langchain(messages: Sequence[Message], instruction: str = "") -> list[BaseMessage]:
    """Return the dialogue as LangChain messages, `instruction` added to the first system message."""
    out = [_one(message) for message in messages]
    if not instruction:
        return out
    first = messages[0] if messages else None
    if first is not None and first.role == "system":
        return [SystemMessage(f"{first.text}\n\n{instruction}"), *out[1:]]
    return [SystemMessage(instruction), *out]


def _one(message: Message) -> BaseMessage:
    match message.role:
        case "system":
            return SystemMessage(message.text)
        case "user":
            return HumanMessage(message.text)
        case "tool":
            return ToolMessage(message.text, tool_call_id=message.tool_call_id)
        case "assistant":
            if isinstance(message.carry, AIMessage):
                return message.carry
            calls = [LangChainCall(name=wire_name(c.name), args=c.args or {}, id=c.id) for c in message.tool_calls]
            return AIMessage(message.text, tool_calls=calls)


def offers(request: Request, api: str) -> list[JsonObject]:
    """Return the request's tools as Chat Completions writes them."""
    # Responses reads functions as strict unless told otherwise, and strict would change the schemas.
    loose: JsonObject = {"strict": False} if api == "responses" else {}
    return [
        {
            "type": "function",
            "function": {
                "name": wire_name(tool.name),
                "description": tool.description,
                "parameters": tool.parameters,
                **loose,
            },
        }
        for tool in request.tools
    ]


def from_message(message: AIMessage, request: Request, *, finish: str | None = None) -> Reply:
    """Return the reply in one whole message.

    Args:
        message: What LangChain made of the provider's answer.
        request: What was asked; its size stands in for usage that is missing.
        finish: Why it ended, for providers that do not say.

    Raises:
        Fault: The provider did not say why it ended, or ended with an error.
    """
    raw = [
        *((call["id"] or "", call["name"], _args_text(call["args"])) for call in message.tool_calls),
        *((call["id"] or "", call["name"] or "", call["args"] or "") for call in message.invalid_tool_calls),
    ]
    return _reply(message, raw, request, _finish_word(message.response_metadata) or finish)


def from_chunks(chunks: Sequence[AIMessageChunk], request: Request, *, finish: str | None = None) -> Reply:
    """Return the reply in a finished stream.

    Tool arguments are parsed here and strictly: LangChain completes cut JSON into a valid call.

    Args:
        chunks: The stream, at least one chunk.
        request: What was asked; its size stands in for usage that is missing.
        finish: Why it ended, for providers that do not say.

    Raises:
        Fault: The stream ended without saying why, or with an error.
    """
    merged = chunks[0] + chunks[1:] if len(chunks) > 1 else chunks[0]
    words = [word for chunk in chunks if (word := _finish_word(chunk.response_metadata))]
    usages = [chunk.usage_metadata for chunk in chunks if chunk.usage_metadata]
    models = [name for chunk in chunks if isinstance(name := chunk.response_metadata.get("model_name"), str)]
    whole = message_chunk_to_message(merged)
    if not isinstance(whole, AIMessage):
        raise Fault(FailureKind.TRANSPORT, "the stream holds no answer of the model", lost=True)
    # Servers may repeat these in several chunks, and merging would add them up.
    whole.usage_metadata = usages[-1] if usages else None
    whole.response_metadata["model_name"] = models[-1] if models else ""
    raw = [(call["id"] or "", call["name"] or "", call["args"] or "") for call in merged.tool_call_chunks]
    return _reply(whole, raw, request, words[-1] if words else finish)


def _reply(message: AIMessage, raw: Sequence[tuple[str, str, str]], request: Request, finish: str | None) -> Reply:
    calls, faithful = _calls(raw, request)
    refusal = _refusal(message)
    text = refusal or str(message.text)
    ended = _finish(finish, refusal=bool(refusal), calls=bool(calls))
    model = message.response_metadata.get("model_name")
    return Reply(
        text=text,
        finish=ended,
        usage=usage_of(message, request, text, raw),
        model=model if isinstance(model, str) else "",
        tool_calls=calls if ended == "tool_calls" else (),
        carry=message if faithful else None,
    )


def _calls(raw: Sequence[tuple[str, str, str]], request: Request) -> tuple[tuple[ToolCall, ...], bool]:
    """Return the calls, and whether they are as the provider sent them: names back, ids unique."""
    names = {wire_name(tool.name): tool.name for tool in request.tools}
    calls: list[ToolCall] = []
    faithful = True
    for number, (given, name, args) in enumerate(raw):
        taken = {call.id for call in calls}
        call_id = given if given and given not in taken else f"{given or 'call'}-{number}"
        parsed = loads_object(args)
        if parsed and NOT_OBJECT in parsed:
            args, parsed = str(parsed[NOT_OBJECT]), None
        faithful = faithful and call_id == given and parsed is not None
        calls.append(ToolCall(id=call_id, name=names.get(name, name), args=parsed, raw=args))
    return tuple(calls), faithful


def _args_text(args: Mapping[str, object]) -> str:
    return json.dumps(args, ensure_ascii=False)


def _finish_word(metadata: Mapping[str, object]) -> str | None:
    """Return why it ended: Chat's finish_reason, or Responses' status with its detail."""
    details = metadata.get("incomplete_details")
    if is_mapping(details) and details:
        return next((reason for reason in details.values() if isinstance(reason, str)), "length")
    word = metadata.get("finish_reason") or metadata.get("stop_reason") or metadata.get("status")
    return word if isinstance(word, str) else None


def _finish(word: str | None, *, refusal: bool, calls: bool) -> Finish:
    """Return how the reply ended.

    Raises:
        Fault: The server did not say, or says that it broke off.
    """
    if not word:
        text = "the reply ends without a finish_reason, so it may be cut off"
        raise Fault(FailureKind.TRANSPORT, text, lost=True)
    if word in _BROKEN:
        raise Fault(FailureKind.TRANSPORT, f"the reply broke off with finish_reason {word!r}", lost=True)
    if word in _LENGTH:
        return "length"
    if refusal or word in _REFUSED:
        return "refusal"
    return "tool_calls" if calls else "stop"


def _refusal(message: AIMessage) -> str:
    refusal: object = message.additional_kwargs.get("refusal")
    if isinstance(refusal, str) and refusal:
        return refusal
    for block in message.content if isinstance(message.content, list) else ():
        if isinstance(block, dict) and block.get("type") == "refusal":
            return str(block.get("refusal") or "refused")
    return ""


def usage_of(message: AIMessage, request: Request, text: str, raw: Sequence[tuple[str, str, str]]) -> Usage:
    """Return the tokens of one call; what is missing or impossible is estimated from the text."""
    said = message.usage_metadata
    written = len(text.encode()) + sum(len(name) + len(args.encode()) for _, name, args in raw)
    given_in, given_out = (said["input_tokens"], said["output_tokens"]) if said else (0, 0)
    read = (said.get("input_token_details") or {}).get("cache_read", 0) if said else 0
    thought = (said.get("output_token_details") or {}).get("reasoning", 0) if said else 0
    tokens_in = given_in if given_in > 0 else estimate(size_bytes(request))
    tokens_out = given_out if given_out > 0 or (given_out == 0 and not written) else estimate(written)
    return Usage(
        input_tokens=tokens_in,
        output_tokens=tokens_out,
        cached_tokens=min(max(read or 0, 0), tokens_in),
        reasoning_tokens=min(max(thought or 0, 0), tokens_out),
        calls=1,
    )
