"""OpenAI's wire format, written and read by the rehearsal server: Chat Completions and Responses."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias
from urllib.parse import unquote
from uuid import uuid4

from planloom.core.json import Json, JsonObject
from planloom.models.script import Asked
from planloom.models.stage import Line

Api: TypeAlias = Literal["chat", "responses"]


def read_asked(body: JsonObject, headers: Mapping[str, str], api: Api) -> Asked:
    """Return the request as rules see it. A client that sends no `x-planloom-*` headers is a worker."""
    said = _chat_messages(body) if api == "chat" else _response_items(body)
    attempt, round_ = headers.get("x-planloom-attempt", "1"), headers.get("x-planloom-round", "0")
    return Asked(
        role=headers.get("x-planloom-role", "worker"),
        node=unquote(headers.get("x-planloom-node", "")),
        attempt=int(attempt) if attempt.isdecimal() else 1,
        member=headers.get("x-planloom-member", ""),
        round=int(round_) if round_.isdecimal() else 0,
        model=str(body.get("model", "")),
        texts=tuple(text for _, text in said),
        user_texts=tuple(text for role, text in said if role == "user"),
        tool_results=tuple(text for role, text in said if role == "tool"),
    )


def _chat_messages(body: JsonObject) -> list[tuple[str, str]]:
    return [(str(item.get("role", "")), _content(item.get("content"))) for item in _objects(body.get("messages"))]


def _response_items(body: JsonObject) -> list[tuple[str, str]]:
    given = body.get("input")
    said = [("system", str(body["instructions"]))] if body.get("instructions") else []
    if isinstance(given, str):
        return [*said, ("user", given)]
    for item in _objects(given):
        if item.get("type") == "function_call_output":
            said.append(("tool", _content(item.get("output"))))
        elif item.get("type", "message") == "message":
            said.append((str(item.get("role", "")), _content(item.get("content"))))
    return said


def _objects(value: Json) -> list[JsonObject]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _content(value: Json) -> str:
    if isinstance(value, str):
        return value
    return "".join(str(part.get("text", "")) for part in _objects(value))


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes one answer as a whole body, or as events in three groups: head, one per piece, tail."""

    line: Line
    model: str
    id: str = field(default_factory=lambda: uuid4().hex[:24])
    at: int = field(default_factory=lambda: int(time.time()))

    @property
    def text(self) -> str:
        """The text as sent: half of it when the rule cuts the reply."""
        return self.line.text[: len(self.line.text) // 2] if self.line.rule.cut else self.line.text

    @property
    def calls(self) -> list[tuple[str, str, str]]:
        """Tool calls as (id, name, arguments); arguments are halved when the rule cuts the reply."""
        cut = self.line.rule.cut
        return [
            (f"call_{self.id[:12]}_{number}", name, args[: len(args) // 2] if cut else args)
            for number, (name, args) in enumerate(self.line.calls)
        ]

    @property
    def refused(self) -> bool:
        """Whether the text is a refusal."""
        return self.line.rule.refuse is not None

    @property
    def finish(self) -> str:
        """Chat's finish_reason."""
        if self.line.rule.cut or self.line.capped:
            return "length"
        return "tool_calls" if self.line.calls else "stop"


class ChatWriter(Writer):
    """Chat Completions."""

    def body(self) -> JsonObject:
        """The whole reply."""
        calls: list[Json] = [_chat_call(*call) for call in self.calls]
        message: JsonObject = {"role": "assistant", "content": self.text or None, "refusal": None}
        if self.refused:
            message |= {"content": None, "refusal": self.text}
        if calls:
            message["tool_calls"] = calls
        choice: JsonObject = {"index": 0, "message": message, "finish_reason": self.finish, "logprobs": None}
        return {**self._frame("chat.completion"), "choices": [choice], "usage": self._usage()}

    def head(self) -> Iterator[bytes]:
        """Events before the text."""
        yield self._chunk({"role": "assistant", "content": ""})

    def piece(self, text: str) -> Iterator[bytes]:
        """Events of one piece of text."""
        yield self._chunk({"refusal": text} if self.refused else {"content": text})

    def tail(self, *, usage: bool) -> Iterator[bytes]:
        """Events after the text; usage only where the client asked for it."""
        for number, (call_id, name, args) in enumerate(self.calls):
            first: JsonObject = {"index": number, **_chat_call(call_id, name, "")}
            yield self._chunk({"tool_calls": [first]})
            for part in split(args, 2):
                yield self._chunk({"tool_calls": [{"index": number, "function": {"arguments": part}}]})
        yield self._chunk({}, self.finish)
        if usage:
            yield _event({**self._frame("chat.completion.chunk"), "choices": [], "usage": self._usage()})
        yield b"data: [DONE]\n\n"

    def _frame(self, kind: str) -> JsonObject:
        return {"id": f"chatcmpl-{self.id}", "object": kind, "created": self.at, "model": self.model}

    def _chunk(self, delta: JsonObject, finish: str | None = None) -> bytes:
        choice: JsonObject = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return _event({**self._frame("chat.completion.chunk"), "choices": [choice]})

    def _usage(self) -> JsonObject:
        line, used = self.line, self.line.rule.usage
        return {
            "prompt_tokens": line.input_tokens,
            "completion_tokens": line.output_tokens,
            "total_tokens": line.input_tokens + line.output_tokens,
            "prompt_tokens_details": {"cached_tokens": used.cached},
            "completion_tokens_details": {"reasoning_tokens": used.reasoning},
        }


class ResponsesWriter(Writer):
    """Responses."""

    def body(self) -> JsonObject:
        """The whole reply."""
        status = "incomplete" if self.finish == "length" else "completed"
        output: list[Json] = [self._message(status)] if self.text or not self.calls else []
        output += [self._call(*call) for call in self.calls]
        return self._response(status, output, self._usage())

    def head(self) -> Iterator[bytes]:
        """Events before the text."""
        yield _named({"type": "response.created", "response": self._response("in_progress", [], None)})
        if self.text or not self.calls:
            item: JsonObject = {**self._message("in_progress"), "content": []}
            yield _named({"type": "response.output_item.added", "output_index": 0, "item": item})
            yield _named({"type": "response.content_part.added", **self._place(), "part": self._part("")})

    def piece(self, text: str) -> Iterator[bytes]:
        """Events of one piece of text."""
        kind = "response.refusal.delta" if self.refused else "response.output_text.delta"
        yield _named({"type": kind, **self._place(), "delta": text, "logprobs": []})

    def tail(self, *, usage: bool) -> Iterator[bytes]:
        """Events after the text; usage always comes."""
        index = 0
        if self.text or not self.calls:
            index = 1
            kind, key = ("refusal", "refusal") if self.refused else ("output_text", "text")
            yield _named({"type": f"response.{kind}.done", **self._place(), key: self.text, "logprobs": []})
            yield _named({"type": "response.content_part.done", **self._place(), "part": self._part(self.text)})
            item = self._message("completed")
            yield _named({"type": "response.output_item.done", "output_index": 0, "item": item})
        for number, call in enumerate(self.calls, index):
            yield from self._call_events(number, call)
        whole = self.body()
        yield _named({"type": f"response.{whole['status']}", "response": whole})

    def _call_events(self, number: int, call: tuple[str, str, str]) -> Iterator[bytes]:
        done = self._call(*call)
        begun: JsonObject = {**done, "arguments": "", "status": "in_progress"}
        place: JsonObject = {"item_id": done["id"], "output_index": number}
        yield _named({"type": "response.output_item.added", "output_index": number, "item": begun})
        for part in split(call[2], 2):
            yield _named({"type": "response.function_call_arguments.delta", **place, "delta": part})
        finished: JsonObject = {"arguments": call[2], "name": call[1]}
        yield _named({"type": "response.function_call_arguments.done", **place, **finished})
        yield _named({"type": "response.output_item.done", "output_index": number, "item": done})

    def _place(self) -> JsonObject:
        return {"item_id": f"msg_{self.id}", "output_index": 0, "content_index": 0}

    def _part(self, text: str) -> JsonObject:
        if self.refused:
            return {"type": "refusal", "refusal": text}
        return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}

    def _message(self, status: str) -> JsonObject:
        base: JsonObject = {"id": f"msg_{self.id}", "type": "message", "role": "assistant", "status": status}
        return {**base, "content": [self._part(self.text)]}

    def _call(self, call_id: str, name: str, args: str) -> JsonObject:
        base: JsonObject = {"id": f"fc_{call_id[5:]}", "type": "function_call", "status": "completed"}
        return {**base, "call_id": call_id, "name": name, "arguments": args}

    def _response(self, status: str, output: Sequence[Json], usage: JsonObject | None) -> JsonObject:
        return {
            "id": f"resp_{self.id}",
            "object": "response",
            "created_at": self.at,
            "status": status,
            "model": self.model,
            "output": list(output),
            "usage": usage,
            "error": None,
            "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
            "instructions": None,
            "metadata": {},
            "parallel_tool_calls": True,
            "temperature": None,
            "tool_choice": "auto",
            "tools": [],
            "top_p": None,
        }

    def _usage(self) -> JsonObject:
        line, used = self.line, self.line.rule.usage
        return {
            "input_tokens": line.input_tokens,
            "output_tokens": line.output_tokens,
            "total_tokens": line.input_tokens + line.output_tokens,
            "input_tokens_details": {"cached_tokens": used.cached},
            "output_tokens_details": {"reasoning_tokens": used.reasoning},
        }


def _chat_call(call_id: str, name: str, args: str) -> JsonObject:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": args}}


def _event(data: JsonObject) -> bytes:
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


def _named(data: JsonObject) -> bytes:
    data = {"sequence_number": 0, **data}
    return f"event: {data['type']}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


def split(text: str, parts: int) -> list[str]:
    """Cut a text into at most `parts` pieces of about equal length; no piece is empty."""
    size = max(1, -(-len(text) // parts))
    return [text[at : at + size] for at in range(0, len(text), size)]
