"""A run told as a response of OpenAI's Responses API, at once or as it happens."""

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from planloom.core import events as ev
from planloom.core.json import Json, JsonObject
from planloom.core.outcome import Usage
from planloom.core.result import PendingApproval, RunResult
from planloom.core.view import RunView
from planloom.service.answering import id_of
from planloom.service.chat import about
from planloom.service.conversation import answer_text
from planloom.service.problems import Problem
from planloom.service.progress import line_of

PREFIX = "resp_"
Told = list[JsonObject]


@dataclass(slots=True, kw_only=True)
class Telling:
    """Folds a run's events into a response: its progress is an item of reasoning, its output a message."""

    run_id: str
    model: str
    view: RunView = field(default_factory=RunView)
    _lines: list[str] = field(default_factory=list[str])
    _number: int = -1
    _opened: bool = False

    def take(self, events: Iterable[ev.AnyEvent]) -> None:
        """Take events in that nothing is told of as they happen."""
        for event in events:
            self._take(event)

    def begun(self) -> Told:
        """Return how a stream begins."""
        empty: JsonObject = {**self.response(), "output": []}  # its items follow, those of before an answer as well
        return [self._numbered(kind, response=empty) for kind in ("response.created", "response.in_progress")]

    def told(self, event: ev.AnyEvent) -> Told:
        """Return what an event tells."""
        line = self._take(event)
        if line is None:
            return []
        opened = self._opened
        delta = line if opened else "".join(self._lines)
        return [*([] if opened else self._opening()), self._thinks("text.delta", delta=delta)]

    def ended(self) -> Told:
        """Return how the stream of a run at rest ends."""
        response, told = self.response(), list[JsonObject]()
        output = response["output"]
        for index, item in enumerate(output if isinstance(output, list) else ()):
            if isinstance(item, dict):
                told += self._item(index, item)
        kinds = {"completed": "response.completed", "failed": "response.failed"}
        kind = kinds.get(str(response["status"]), "response.incomplete")
        return [*told, self._numbered(kind, response=response)]

    def error_of(self, problem: Problem) -> JsonObject:
        """Return the event of a run that cannot be told any further."""
        return self._numbered("error", code=problem.code.replace("-", "_"), message=problem.detail, param=None)

    def response(self) -> JsonObject:
        """Return the run as it stands."""
        result = self.view.result()
        status, text, error = _come_to(result)
        usage: Json = None if status == "in_progress" else _usage_of(result.usage)
        return {
            "id": f"{PREFIX}{self.run_id}",
            "object": "response",
            "created_at": int(self.view.started_at or time.time()),
            "model": self.model,
            "status": status,
            "error": error,
            "incomplete_details": None,
            "instructions": None,
            "metadata": {},
            "output": self._output(result, text, done=status != "in_progress"),
            "parallel_tool_calls": False,
            "temperature": None,
            "tool_choice": "auto",
            "tools": [],
            "top_p": None,
            "usage": usage,
            "planloom": {**about(result), "run_id": self.run_id},
        }

    def _take(self, event: ev.AnyEvent) -> str | None:
        self.view.apply(event)
        line = line_of(event)
        if line is None:
            return None
        self._lines.append(f"{line}\n")
        return self._lines[-1]

    def _output(self, result: RunResult, text: str | None, *, done: bool) -> list[Json]:
        output: list[Json] = []
        if self._lines:
            summary: list[Json] = [{"type": "summary_text", "text": "".join(self._lines)}]
            status = "completed" if done else "in_progress"
            output.append({"type": "reasoning", "id": self._id("rs"), "summary": summary, "status": status})
        if done:
            output += [_request_of(result.run_id, item) for item in result.pending]
        if text is not None:
            said: JsonObject = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
            message: JsonObject = {"type": "message", "id": self._id("msg"), "role": "assistant", "content": [said]}
            output.append({**message, "status": "completed"})
        return output

    def _item(self, index: int, item: JsonObject) -> Told:
        match item["type"]:
            case "reasoning":
                told = self._thought()
            case "message":
                told = self._said(index, item)
            case _:
                told = [self._numbered("response.output_item.added", output_index=index, item=item)]
        return [*told, self._numbered("response.output_item.done", output_index=index, item=item)]

    def _opening(self) -> Told:
        self._opened = True
        item: JsonObject = {"type": "reasoning", "id": self._id("rs"), "summary": [], "status": "in_progress"}
        return [
            self._numbered("response.output_item.added", output_index=0, item=item),
            self._thinks("part.added", part={"type": "summary_text", "text": ""}),
        ]

    def _thought(self) -> Told:
        text = "".join(self._lines)
        opening = [] if self._opened else [*self._opening(), self._thinks("text.delta", delta=text)]
        part: JsonObject = {"type": "summary_text", "text": text}
        return [*opening, self._thinks("text.done", text=text), self._thinks("part.done", part=part)]

    def _thinks(self, kind: str, **fields: Json) -> JsonObject:
        about: JsonObject = {"item_id": self._id("rs"), "output_index": 0, "summary_index": 0}
        return self._numbered(f"response.reasoning_summary_{kind}", **about, **fields)

    def _said(self, index: int, item: JsonObject) -> Told:
        content = item["content"]
        part = content[0] if isinstance(content, list) else None
        text = part["text"] if isinstance(part, dict) else ""
        about: JsonObject = {"item_id": item["id"], "output_index": index, "content_index": 0}
        empty: JsonObject = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
        opened: JsonObject = {**item, "content": [], "status": "in_progress"}
        return [
            self._numbered("response.output_item.added", output_index=index, item=opened),
            self._numbered("response.content_part.added", **about, part=empty),
            self._numbered("response.output_text.delta", **about, delta=text, logprobs=[]),
            self._numbered("response.output_text.done", **about, text=text, logprobs=[]),
            self._numbered("response.content_part.done", **about, part=part),
        ]

    def _numbered(self, kind: str, **fields: Json) -> JsonObject:
        self._number += 1
        return {"type": kind, "sequence_number": self._number, **fields}

    def _id(self, kind: str) -> str:
        return f"{kind}_{self.run_id}"


def _come_to(result: RunResult) -> tuple[str, str | None, JsonObject | None]:
    """Return status, text and error of a run."""
    if result.status in ("running", "interrupted"):
        return "in_progress", None, None
    if result.status == "cancelled":
        return "cancelled", None, None
    try:
        return "completed", answer_text(result), None
    except Problem as problem:
        return "failed", None, {"code": "server_error", "message": problem.detail}


def _request_of(run_id: str, item: PendingApproval) -> JsonObject:
    """Return something that waits as the API's request for an approval."""
    shown: JsonObject = {"kind": item.kind, "reason": item.reason, "shown": item.shown}
    return {
        "type": "mcp_approval_request",
        "id": id_of(run_id, item),
        "name": str(item.node_id or "plan"),
        "server_label": "planloom",
        "arguments": json.dumps(shown, ensure_ascii=False),
    }


def _usage_of(usage: Usage) -> JsonObject:
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.tokens,
    }
