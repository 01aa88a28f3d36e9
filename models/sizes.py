"""How large a request is, without a tokenizer: tokenizers need the network."""

import json

from planloom.models.base import Request
from planloom.models.text import is_mapping

_PER_MESSAGE = 16
_PER_REQUEST = 64
_TOOLS_PREAMBLE = 512
"""Tokens that chat templates add around messages, and before a list of tools."""


def estimate(size: int) -> int:
    """Return about how many tokens `size` bytes are: three bytes each, on the safe side of most text."""
    return -(-size // 3)


def size_bytes(request: Request) -> int:
    """Return the UTF-8 bytes of everything a request sends: messages, tools, schema."""
    size = 0
    for message in request.messages:
        size += len(message.text.encode())
        size += sum(len(call.raw.encode()) + len(call.name) + len(call.id) for call in message.tool_calls)
    for tool in request.tools:
        size += len(tool.name) + len(tool.description.encode()) + _json_bytes(tool.parameters)
    return size + (_json_bytes(request.schema) if request.schema is not None else 0)


def most_tokens(request: Request) -> int:
    """Return an upper bound of the input tokens: byte-level tokenizers never make more tokens than bytes.

    A schema may be sent twice, as a response format and in the prompt. Reasoning that goes back to the
    provider within a tool loop counts as what it was when it was written.
    """
    twice = _json_bytes(request.schema) if request.schema is not None else 0
    template = _PER_REQUEST + _PER_MESSAGE * len(request.messages)
    if request.tools or request.schema is not None:
        template += _TOOLS_PREAMBLE
    carried = sum(_carried_tokens(message.carry) for message in request.messages)
    return size_bytes(request) + twice + template + carried


def _carried_tokens(carry: object) -> int:
    usage: object = getattr(carry, "usage_metadata", None)
    tokens = usage.get("output_tokens") if is_mapping(usage) else 0
    return tokens if isinstance(tokens, int) and tokens > 0 else 0


def _json_bytes(value: object) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode())
