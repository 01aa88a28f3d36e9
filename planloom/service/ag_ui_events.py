"""A run told as the events of AG-UI 1.0."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from planloom.core import events as ev
from planloom.core.json import Json, JsonObject
from planloom.core.outcome import Usage
from planloom.core.plan import NodeId
from planloom.core.result import RunResult
from planloom.service.ag_ui_interrupts import interrupt_of
from planloom.service.ag_ui_state import SharedState
from planloom.service.conversation import answer_text
from planloom.service.problems import Problem
from planloom.service.progress import line_of

PROTOCOL = "1.0"
Events = list[JsonObject]


def error_of(problem: Problem) -> JsonObject:
    """Return the event of a run that cannot be told any further."""
    return {"type": "RUN_ERROR", "message": problem.detail, "code": problem.code}


@dataclass(slots=True, kw_only=True)
class Telling:
    """Folds a run's events into those that a client is sent: steps are nodes at work, the progress is its reasoning.

    What opens is closed before the end, as the protocol wants it.
    """

    thread_id: str
    run_id: str
    """The client's name for this part of the run; ids of messages are made of it."""
    state: SharedState = field(default_factory=SharedState)
    _number: int = 0
    _steps: dict[NodeId, None] = field(default_factory=dict[NodeId, None])
    _thinks: bool = False
    _usage: dict[str, Usage] = field(default_factory=dict[str, Usage])

    def started(self, past: Iterable[ev.AnyEvent]) -> Events:
        """Return how it begins: with the run as it stood, where it stood already."""
        for event in past:
            self._number += 1
            self.state.apply(event)
        begun: JsonObject = {"type": "RUN_STARTED", **self._names(), "protocolVersion": PROTOCOL}
        return [begun, *([self._snapshot()] if self._number else [])]

    def told(self, event: ev.AnyEvent) -> Events:
        """Return what an event tells."""
        self._number += 1
        patch = self.state.apply(event)
        if isinstance(event, ev.RunStarted):
            return [self._snapshot()]
        told = [*self._step(event), *self._call(event), *self._thought(event)]
        if patch:
            told.append({"type": "STATE_DELTA", "delta": patch})
        return [{**item, "timestamp": int(event.at * 1000)} for item in told]

    def ended(self) -> Events:
        """Return how a run at rest ends."""
        return [*self._closed(), *self._outcome(self.state.view.result())]

    def _names(self) -> JsonObject:
        return {"threadId": self.thread_id, "runId": self.run_id}

    def _snapshot(self) -> JsonObject:
        return {"type": "STATE_SNAPSHOT", "snapshot": self.state.document}

    def _step(self, event: ev.AnyEvent) -> Events:
        match event:
            case ev.AttemptStarted() | ev.NodeExpanded() if event.node_id not in self._steps:
                self._steps[event.node_id] = None
                return [{"type": "STEP_STARTED", "stepName": event.node_id}]
            case ev.NodeCommitted() | ev.NodeFailed() | ev.NodeSkipped() | ev.NodeHeld():
                return self._finished([event.node_id])
            case ev.PlanReady():
                return self._finished([name for name in self._steps if self.state.view.node(name).state == "removed"])
            case ev.CallEnded():
                self._usage[event.model] = self._usage.get(event.model, Usage()) + event.usage
            case _:
                pass
        return []

    def _finished(self, names: Iterable[NodeId]) -> Events:
        ended = [name for name in names if name in self._steps]
        for name in ended:
            del self._steps[name]
        return [{"type": "STEP_FINISHED", "stepName": name} for name in ended]

    def _call(self, event: ev.AnyEvent) -> Events:
        """Tell a tool call, which is over when the journal knows of it, and keeps what it gave to itself."""
        if not isinstance(event, ev.ToolCalled):
            return []
        call_id = f"{self.state.view.run_id}:{self._number}"
        about: JsonObject = {"node": event.node_id, "attempt": event.attempt, "seconds": event.seconds}
        content = json.dumps({**about, **({"error": event.error} if event.error else {})}, ensure_ascii=False)
        result: JsonObject = {"messageId": f"{call_id}:result", "content": content, "role": "tool"}
        return [
            {"type": "TOOL_CALL_START", "toolCallId": call_id, "toolCallName": event.tool},
            {"type": "TOOL_CALL_ARGS", "toolCallId": call_id, "delta": json.dumps(event.args, ensure_ascii=False)},
            {"type": "TOOL_CALL_END", "toolCallId": call_id},
            {"type": "TOOL_CALL_RESULT", "toolCallId": call_id, **result},
        ]

    def _thought(self, event: ev.AnyEvent) -> Events:
        line = line_of(event)
        if line is None:
            return []
        message: JsonObject = {"messageId": f"{self.run_id}:progress"}
        opening: Events = [
            {"type": "REASONING_START", **message},
            {"type": "REASONING_MESSAGE_START", **message, "role": "reasoning"},
        ]
        told: JsonObject = {"type": "REASONING_MESSAGE_CONTENT", **message, "delta": f"{line}\n"}
        opened, self._thinks = self._thinks, True
        return [*([] if opened else opening), told]

    def _closed(self) -> Events:
        message: JsonObject = {"messageId": f"{self.run_id}:progress"}
        thoughts: Events = [{"type": "REASONING_MESSAGE_END", **message}, {"type": "REASONING_END", **message}]
        return [*self._finished([*self._steps]), *(thoughts if self._thinks else [])]

    def _outcome(self, result: RunResult) -> Events:
        usage = self._took()
        end: JsonObject = {"type": "RUN_FINISHED", **self._names(), **usage}
        if result.status == "waiting":
            interrupts: list[Json] = [interrupt_of(result.run_id, item) for item in result.pending]
            return [self._snapshot(), {**end, "outcome": {"type": "interrupt", "interrupts": interrupts}}]
        if result.status == "cancelled":
            return [{**end, "outcome": {"type": "cancelled"}}]
        try:
            said = self._said(answer_text(result))
        except Problem as problem:
            return [{**error_of(problem), **usage}]
        value: JsonObject = {} if result.output is None else {"result": result.output}
        return [*said, {**end, **value, "outcome": {"type": "success"}}]

    def _said(self, text: str) -> Events:
        message: JsonObject = {"messageId": f"{self.run_id}:output"}
        return [
            {"type": "TEXT_MESSAGE_START", **message, "role": "assistant"},
            {"type": "TEXT_MESSAGE_CONTENT", **message, "delta": text},
            {"type": "TEXT_MESSAGE_END", **message},
        ]

    def _took(self) -> JsonObject:
        took: list[Json] = [_usage_of(model, usage) for model, usage in self._usage.items()]
        return {"usage": took} if took else {}


def _usage_of(model: str, usage: Usage) -> JsonObject:
    parts = {"reasoningTokens": usage.reasoning_tokens, "cachedInputTokens": usage.cached_tokens}
    return {
        **({"model": model} if model else {}),
        "inputTokens": usage.input_tokens,
        "outputTokens": usage.output_tokens,
        "totalTokens": usage.input_tokens + usage.output_tokens,
        **{name: tokens for name, tokens in parts.items() if tokens},  # 0 may be what nobody has counted
    }
