"""The worker: one piece of work, a bounded tool loop, a result that fits its schema."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from planloom.agents.brief import Brief
from planloom.agents.dialogue import Dialogue, Tools
from planloom.agents.prompting import block, prompt, section
from planloom.configs.json_schema import misfits
from planloom.core.check import Method
from planloom.core.json import Json, JsonObject, clean, closed
from planloom.core.outcome import Done, Evidence, Failed, FailureKind, Outcome
from planloom.models.base import ChatModel, Message, Request
from planloom.models.text import extract_json

_CANNOT_CODES = ("missing_input", "missing_tool", "contradiction", "other")
_CANNOT_LINE = re.compile(r"CANNOT\b[ (]*(\w+)?[) ]*:?")
_QUESTION = "question"
PROGRAM = closed({"program": {"type": "string", "minLength": 1}})
"""Schema of a result that is given as the program that works it out."""


def _cannot_schema(codes: Sequence[str]) -> JsonObject:
    cannot = closed({"code": {"type": "string", "enum": [*codes]}, "reason": {"type": "string"}})
    return {"anyOf": [{"type": "null"}, cannot]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One piece of work for one worker."""

    brief: Brief
    max_calls: int = 12
    may_ask: bool = False
    """Whether a person is there to answer a question."""
    method: Method | None = None
    """How it is to come to the result; a `program` is given as its result's source."""


async def work(task: Task, model: ChatModel, tools: Tools, *, repairs: int) -> Outcome:
    """Do one piece of work and return its result, not yet checked beyond its schema.

    Args:
        task: The work.
        model: Who does it.
        tools: What it may call.
        repairs: Rounds in which a reply that does not fit its schema goes back in the same dialogue.

    Raises:
        ModelError: The model gave no usable reply.
        BudgetExceeded: The next call does not fit the budget.
    """
    schema = _form(task)
    dialogue = Dialogue(_opening(task, schema), tools, lambda text: read_result(text, schema), repairs=repairs)
    for _ in range(task.max_calls):
        outcome = await dialogue.step(model)
        if outcome is not None:
            return outcome
    return Failed(kind=FailureKind.CHECK, message=f"no result after {task.max_calls} model calls")


def _form(task: Task) -> JsonObject | None:
    """Return the schema of what is asked for: the result's, or a program's."""
    return PROGRAM if task.method == "program" else task.brief.schema


def _opening(task: Task, schema: JsonObject | None) -> Request:
    return Request(
        messages=(Message(role="system", text=prompt("worker")), Message(role="user", text=_told(task, schema))),
        role="worker",
        node_id=task.brief.node_id,
        attempt=task.brief.attempt,
        schema=envelope(schema, may_ask=task.may_ask) if schema is not None else None,
    )


def _codes(*, may_ask: bool) -> tuple[str, ...]:
    return (*_CANNOT_CODES, _QUESTION) if may_ask else _CANNOT_CODES


def _told(task: Task, schema: JsonObject | None) -> str:
    codes = ", ".join(_codes(may_ask=task.may_ask))
    form = (
        "Reply with one JSON object "
        '`{"result": RESULT, "cannot": null}`, where RESULT fits this JSON Schema:\n'
        f"{block(schema)}\n"
        'If it cannot be done: `{"result": null, "cannot": {"code": CODE, "reason": "..."}}` with CODE one of '
        f"{codes}."
        if schema is not None
        else "Reply with the result as plain text. If it cannot be done, reply with one line "
        f"`CANNOT CODE: reason` with CODE one of {codes}."
    )
    if task.may_ask:
        form += f"\nWith the code `{_QUESTION}`, the reason is a question that a person will answer."
    how = section("Method", _method(task)) + section("Form of the result", form)
    return (task.brief.asked + how + task.brief.known).strip()


def _method(task: Task) -> str:
    if task.method is None:
        return ""
    text = prompt(f"method_{task.method}")
    if task.method != "program":
        return text
    schema = task.brief.schema
    wanted = "is text" if schema is None else f"fits this JSON Schema:\n{block(schema)}"
    return f"{text}\nThat value {wanted}"


def envelope(schema: JsonObject, *, may_ask: bool = False) -> JsonObject:
    """Return the schema of a reply that holds either a result or the reason why there is none."""
    cannot = _cannot_schema(_codes(may_ask=may_ask))
    return closed({"result": {"anyOf": [schema, {"type": "null"}]}, "cannot": cannot})


def read_result(text: str, schema: JsonObject | None) -> Outcome:
    """Read a final reply; a bare result without its envelope is taken as well."""
    if schema is None:
        return _read_text(text)
    try:
        value = clean(extract_json(text))
    except ValueError as exc:
        evidence = Evidence(check="json", passed=False, expected="one JSON object", found=text[:300], where=str(exc))
        return Failed(kind=FailureKind.UNPARSEABLE, message=f"the reply is not JSON: {exc}", evidence=(evidence,))
    wrapped = isinstance(value, dict) and bool(value) and set(value) <= {"result", "cannot"}
    if wrapped and isinstance(value, dict):
        cannot = value.get("cannot")
        if isinstance(cannot, dict) and value.get("result") is None:
            return _cannot(str(cannot.get("code", "")), str(cannot.get("reason", "")))
    candidates = _candidates(value)
    problems = [schema_evidence(candidate, schema) for candidate in candidates]
    for candidate, problem in zip(candidates, problems, strict=True):
        if not problem:
            return Done(output=candidate)
    first = problems[0][0]
    message = f"{first.where}: expected {first.expected}, found {first.found}"
    return Failed(kind=FailureKind.SCHEMA, message=message, evidence=tuple(problems[0]), output=candidates[0])


def _candidates(value: Json) -> list[Json]:
    """Return what may be the result: what the envelope holds, or the value itself where there is none."""
    if not isinstance(value, dict) or "result" not in value:
        return [value]
    if set(value) == {"result", "cannot"}:
        return [value["result"]]
    return [value["result"], value] if set(value) == {"result"} else [value]


def _read_text(text: str) -> Outcome:
    text = text.strip()
    if refused := _CANNOT_LINE.match(text):
        code = refused[1] or ""
        return _cannot(code, text[refused.end() :] if code in _codes(may_ask=True) else text)
    if not text:
        return Failed(kind=FailureKind.UNPARSEABLE, message="the reply is empty")
    return Done(output=clean(text))


def _cannot(code: str, reason: str) -> Failed:
    if code == _QUESTION:
        return Failed(kind=FailureKind.QUESTION, message=reason.strip()[:2000] or code, code=code)
    code = code if code in _CANNOT_CODES else "other"
    return Failed(kind=FailureKind.CANNOT, message=reason.strip()[:500] or code, code=code)


def schema_evidence(value: Json, schema: Mapping[str, Json], limit: int = 5) -> list[Evidence]:
    """Return what keeps a value from fitting a schema, at most `limit` items; empty when it fits."""
    found: list[Evidence] = []
    for where, message in islice(misfits(value, dict(schema), "output"), limit):
        expected, _, seen = message.partition(", found ")
        expected = expected.removeprefix("expected ")
        found.append(Evidence(check="schema", passed=False, expected=expected, found=seen, where=where))
    return found
