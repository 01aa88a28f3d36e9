"""One dialogue with a model: its messages, its tool calls, and a reply that must come to something."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Generic, Protocol, TypeVar

from planloom.agents.prompting import block
from planloom.core.errors import ToolError
from planloom.core.json import Json, JsonObject
from planloom.core.outcome import Failed, FailureKind
from planloom.models.base import ChatModel, Message, Reply, Request, ToolCall, ToolOffer

MAX_PARALLEL_TOOL_CALLS = 16
_RESULT_CHARS = 40_000
_TOO_LONG = "That reply was cut off at the length cap. Give the result again, whole and shorter."
ResultT = TypeVar("ResultT")


class Tools(Protocol):
    """What one node may call in one attempt."""

    @property
    def offers(self) -> tuple[ToolOffer, ...]:
        """The tools as the model sees them."""
        ...

    async def call(self, name: str, args: JsonObject) -> Json:
        """Call one.

        Raises:
            ToolError: It is not granted, its arguments are wrong, or it failed.
        """
        ...


class Dialogue(Generic[ResultT]):
    """The messages of one voice, and what each reply leads to.

    Args:
        opening: The first request, without tools.
        tools: What may be called.
        read: Reads a final reply.
        repairs: Rounds in which a reply that cannot be used goes back in the same dialogue.
    """

    def __init__(
        self, opening: Request, tools: Tools, read: Callable[[str], ResultT | Failed], *, repairs: int
    ) -> None:
        self._opening = opening
        self._messages = list(opening.messages)
        self._tools = tools
        self._read = read
        self._allowed_repairs = self._repairs = repairs
        self._continued = False

    def say(self, text: str, *, round: int) -> None:
        """Begin a round of a panel: add what it starts with, and allow its reply the repairs of a first one."""
        last = self._messages[-1]
        if last.role == "user":
            self._messages[-1] = replace(last, text=f"{last.text}\n\n{text}")
        else:
            self._messages.append(Message(role="user", text=text))
        self._opening = replace(self._opening, round=round)
        self._repairs, self._continued = self._allowed_repairs, False

    async def step(self, model: ChatModel) -> ResultT | Failed | None:
        """Ask once and take the reply in; `None` when the dialogue goes on.

        Raises:
            ModelError: The model gave no usable reply.
            BudgetExceeded: The call does not fit the budget.
        """
        request = replace(self._opening, messages=tuple(self._messages), tools=self._tools.offers)
        return await self._take(await model(request))

    async def _take(self, reply: Reply) -> ResultT | Failed | None:
        if reply.finish == "refusal":
            return Failed(kind=FailureKind.REFUSAL, message=reply.text[:500] or "the model refused")
        if reply.finish == "length":
            return self._too_long(reply)
        calls, carry = reply.tool_calls, reply.carry
        self._messages.append(Message(role="assistant", text=reply.text, tool_calls=calls, carry=carry))
        if calls:
            self._messages += await _call_tools(calls, self._tools)
            return None
        outcome = self._read(reply.text)
        said = isinstance(outcome, Failed) and outcome.kind in (FailureKind.CANNOT, FailureKind.QUESTION)
        if not isinstance(outcome, Failed) or said or not self._repairs:
            return outcome
        self._repairs -= 1
        self._messages.append(Message(role="user", text=_repair(outcome)))
        return None

    def _too_long(self, reply: Reply) -> Failed | None:
        """Ask once for a shorter reply; a tool call that was cut off is never made."""
        if self._continued:
            return Failed(kind=FailureKind.LENGTH, message="the reply was cut off at its cap twice")
        self._continued = True
        self._messages += [Message(role="assistant", text=reply.text or "..."), Message(role="user", text=_TOO_LONG)]
        return None


def _repair(failed: Failed) -> str:
    facts: Json = [item.as_json() for item in failed.evidence]
    return f"That reply does not fit the form asked for.\n{block(facts)}\nGive the result again, in that form."


async def _call_tools(calls: Sequence[ToolCall], tools: Tools) -> list[Message]:
    """Call what the model asked for, in its order, and return the results as messages."""
    results: list[Message] = []
    for index, call in enumerate(calls):
        if index >= MAX_PARALLEL_TOOL_CALLS:
            text = f"error: at most {MAX_PARALLEL_TOOL_CALLS} calls in one turn; this one was not made"
        elif call.args is None:
            text = "error: the arguments are not a JSON object; the call was not made"
        else:
            text = await _call_tool(call.name, call.args, tools)
        results.append(Message(role="tool", text=text, tool_call_id=call.id))
    return results


async def _call_tool(name: str, args: JsonObject, tools: Tools) -> str:
    try:
        value = await tools.call(name, args)
    except ToolError as exc:
        return f"error: {exc.message}"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return (
        text
        if len(text) <= _RESULT_CHARS
        else f"{text[:_RESULT_CHARS]}... [{len(text) - _RESULT_CHARS} characters cut]"
    )
