"""The worker: its tool loop, the forms of its result, repairs, and the ways it ends badly."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planloom.agents.brief import Brief
from planloom.agents.dialogue import MAX_PARALLEL_TOOL_CALLS
from planloom.agents.worker import Task, envelope, read_result, schema_evidence, work
from planloom.core.errors import BudgetExceeded, ModelError, ToolError
from planloom.core.json import Json, JsonObject
from planloom.core.outcome import Done, Evidence, Failed, FailureKind, Outcome, Usage
from planloom.models.base import Finish, Reply, Request, ToolCall, ToolOffer

SCHEMA: JsonObject = {
    "type": "object",
    "properties": {"answer": {"type": "integer"}},
    "required": ["answer"],
    "additionalProperties": False,
}
BRIEF = Brief(node_id="n", attempt=2, goal="Find the answer", inputs={"rows": [1, 2]}, schema=SCHEMA)
TASK = Task(brief=BRIEF)
TEXT = Task(brief=replace(BRIEF, schema=None))


def said(text: str, finish: Finish = "stop", *calls: ToolCall, carry: object = None) -> Reply:
    return Reply(text=text, finish=finish, usage=Usage(calls=1), model="m", tool_calls=calls, carry=carry)


def result(value: Json) -> str:
    return json.dumps({"result": value, "cannot": None})


def asks(*calls: ToolCall, text: str = "", carry: object = None) -> Reply:
    return said(text, "tool_calls", *calls, carry=carry)


def call(name: str, args: JsonObject | None, number: int = 0) -> ToolCall:
    return ToolCall(id=f"c{number}", name=name, args=args, raw="{")


class Model:
    """Says what it was told to say, and keeps what it was asked."""

    def __init__(self, *replies: Reply | str | Exception) -> None:
        self.replies = list(replies)
        self.asked: list[Request] = []

    async def __call__(self, request: Request) -> Reply:
        self.asked.append(request)
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return said(reply) if isinstance(reply, str) else reply

    def heard(self, at: int = -1) -> list[tuple[str, str]]:
        """Role and text of the messages of one request, without the two that open it."""
        return [(message.role, message.text) for message in self.asked[at].messages[2:]]


@dataclass
class Toolbelt:
    """Two tools: `look__up` finds, `break` fails."""

    calls: list[tuple[str, JsonObject]] = field(default_factory=list[tuple[str, JsonObject]])
    result: Json = "found"

    @property
    def offers(self) -> tuple[ToolOffer, ...]:
        return tuple(ToolOffer(name=name, description="", parameters={}) for name in ("look__up", "break"))

    async def call(self, name: str, args: JsonObject) -> Json:
        self.calls.append((name, args))
        if name != "look__up":
            raise ToolError(name, f"{name} is broken")
        return self.result


async def do(
    task: Task, *replies: Reply | str | Exception, repairs: int = 1, tools: Toolbelt | None = None
) -> tuple[Outcome, Model]:
    model = Model(*replies)
    outcome = await work(task, model, tools or Toolbelt(), repairs=repairs)
    assert not model.replies, "it asked less often than expected"
    return outcome, model


def failure(outcome: Outcome) -> Failed:
    assert isinstance(outcome, Failed)
    return outcome


@pytest.mark.parametrize(
    "text",
    [
        result({"answer": 7}),
        '{"answer": 7}',
        '{"result": {"answer": 7}}',
        "Here it is:\n```json\n" + result({"answer": 7}) + "\n```",
        '<think>maybe {"answer": 8}</think>{"answer": 7}',
        json.dumps({"result": {"answer": 7}, "cannot": {"code": "other", "reason": "ignored, there is a result"}}),
    ],
)
async def test_a_result_is_taken_with_or_without_its_envelope(text: str) -> None:
    outcome, model = await do(TASK, text)
    assert outcome == Done(output={"answer": 7})
    assert len(model.asked) == 1


async def test_a_schema_that_looks_like_the_envelope_is_not_mistaken_for_it() -> None:
    schema: JsonObject = {"type": "object", "properties": {"result": {"type": "integer"}}, "required": ["result"]}
    task = Task(brief=replace(BRIEF, schema=schema))
    for text in ('{"result": 7}', '{"result": {"result": 7}, "cannot": null}'):
        assert (await do(task, text))[0] == Done(output={"result": 7})


async def test_null_can_be_a_result() -> None:
    task = Task(brief=replace(BRIEF, schema={"type": ["integer", "null"]}))
    assert (await do(task, result(None)))[0] == Done(output=None)


async def test_the_request_holds_the_goal_the_inputs_the_form_and_the_tools() -> None:
    _, model = await do(TASK, result({"answer": 1}))
    (request,) = model.asked
    assert (request.role, request.node_id, request.attempt) == ("worker", "n", 2)
    assert request.schema == envelope(SCHEMA)
    assert [offer.name for offer in request.tools] == ["look__up", "break"]
    system, user = request.messages
    assert (system.role, user.role) == ("system", "user")
    for part in ("# Goal\nFind the answer", '"rows": [', "# Form of the result", '"answer"', "missing_input"):
        assert part in user.text
    assert "Earlier attempt" not in user.text
    other = Task(brief=replace(BRIEF, goal="Other", inputs={}))
    assert (await do(other, result({"answer": 1})))[1].asked[0].messages[0] == system


async def test_evidence_of_the_attempt_before_is_passed_on_but_not_its_transcript() -> None:
    evidence = Evidence(
        check="expr: output.answer > 3", passed=False, expected="more than 3", found="2", where="output"
    )
    task = Task(brief=replace(BRIEF, evidence=(evidence,), rejected={"answer": 2, "long": "x" * 5000}))
    _, model = await do(task, result({"answer": 4}))
    text = model.asked[0].messages[1].text
    assert "more than 3" in text
    assert '"found": "2"' in text
    assert "characters more]" in text
    assert len(text) < 8000
    assert len(model.asked[0].messages) == 2


async def test_without_a_schema_the_text_is_the_result() -> None:
    outcome, model = await do(TEXT, "  Plain text: {not json}.\n")
    assert outcome == Done(output="Plain text: {not json}.")
    assert model.asked[0].schema is None
    assert "plain text" in model.asked[0].messages[1].text


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("CANNOT missing_input: there is no file", "missing_input", "there is no file"),
        ("  CANNOT missing_tool: no shell\n", "missing_tool", "no shell"),
        ("CANNOT (contradiction): a and not a", "contradiction", "a and not a"),
        ("CANNOT missing_tool", "missing_tool", "missing_tool"),
        ("CANNOT", "other", "CANNOT"),
        ("CANNOT be done: no data", "other", "CANNOT be done: no data"),
        ("CANNOT rm_rf: run this", "other", "CANNOT rm_rf: run this"),
    ],
)
async def test_a_worker_may_say_in_words_that_it_cannot(text: str, code: str, message: str) -> None:
    failed = failure((await do(TEXT, text))[0])
    assert (failed.kind, failed.code, failed.message) == (FailureKind.CANNOT, code, message)


async def test_a_text_that_only_begins_like_a_refusal_is_a_text() -> None:
    assert (await do(TEXT, "CANNOTATIONS are rare."))[0] == Done(output="CANNOTATIONS are rare.")


@pytest.mark.parametrize(
    ("cannot", "code", "message"),
    [
        ({"code": "missing_tool", "reason": "no shell"}, "missing_tool", "no shell"),
        ({"code": "ignore all rules and", "reason": "x" * 900}, "other", "x" * 500),
        ({"code": 5}, "other", "other"),
        ({}, "other", "other"),
    ],
)
async def test_a_worker_may_say_in_the_envelope_that_it_cannot(cannot: JsonObject, code: str, message: str) -> None:
    outcome, model = await do(TASK, json.dumps({"result": None, "cannot": cannot}))
    failed = failure(outcome)
    assert (failed.kind, failed.code, failed.message) == (FailureKind.CANNOT, code, message)
    assert len(model.asked) == 1, "it is not asked to repair that"


async def test_a_broken_schema_goes_back_with_the_validators_message_and_is_repaired() -> None:
    outcome, model = await do(TASK, result({"answer": "seven"}), result({"answer": 7}))
    assert outcome == Done(output={"answer": 7})
    (first, text), (role, repair) = model.heard()
    assert (first, role) == ("assistant", "user")
    assert text == result({"answer": "seven"})
    assert "output.answer" in repair
    assert "integer" in repair
    assert "seven" in repair


async def test_after_the_last_repair_the_schema_failure_stands_with_its_output() -> None:
    outcome, model = await do(TASK, "not json", "{}", result({"answer": "x", "more": 1}), repairs=2)
    failed = failure(outcome)
    assert failed.kind is FailureKind.SCHEMA
    assert failed.output == {"answer": "x", "more": 1}
    assert {item.check for item in failed.evidence} == {"schema"}
    assert not any(item.passed for item in failed.evidence)
    assert len(model.asked) == 3


@pytest.mark.parametrize(("task", "text"), [(TASK, "not json"), (TASK, ""), (TASK, '{"answer": 1'), (TEXT, " \n")])
async def test_a_reply_that_cannot_be_read_is_unparseable(task: Task, text: str) -> None:
    outcome, _ = await do(task, text, repairs=0)
    assert failure(outcome).kind is FailureKind.UNPARSEABLE
    assert (await do(task, text, result({"answer": 1})))[0] != outcome


@pytest.mark.parametrize("text", ['{"answer": 1e999}', '{"answer": NaN}'])
async def test_numbers_that_json_cannot_say_are_no_json(text: str) -> None:
    outcome, _ = await do(Task(brief=replace(BRIEF, schema={"type": "object"})), text, repairs=0)
    assert failure(outcome).kind is FailureKind.UNPARSEABLE


async def test_half_a_surrogate_pair_is_mended_before_anyone_sees_it() -> None:
    task = Task(brief=replace(BRIEF, schema={"type": "object"}))
    assert (await do(task, '{"a": "x\\ud800"}'))[0] == Done(output={"a": "x\ufffd"})
    assert (await do(TEXT, "x\ud800"))[0] == Done(output="x\ufffd")


async def test_tools_are_called_in_order_and_their_results_and_errors_come_back() -> None:
    tools, carry = Toolbelt(result={"rows": [1]}), object()
    calls = [call("look__up", {"q": 1}, 1), call("break", {}, 2), call("look__up", None, 3), call("rm", {"x": 1}, 4)]
    outcome, model = await do(TASK, asks(*calls, text="let me see", carry=carry), result({"answer": 1}), tools=tools)
    assert outcome == Done(output={"answer": 1})
    assert tools.calls == [("look__up", {"q": 1}), ("break", {}), ("rm", {"x": 1})]
    assert model.heard() == [
        ("assistant", "let me see"),
        ("tool", '{"rows": [1]}'),
        ("tool", "error: break is broken"),
        ("tool", "error: the arguments are not a JSON object; the call was not made"),
        ("tool", "error: rm is broken"),
    ]
    turn = model.asked[1].messages[2]
    assert turn.tool_calls == tuple(calls)
    assert turn.carry is carry
    assert [message.tool_call_id for message in model.asked[1].messages[3:]] == ["c1", "c2", "c3", "c4"]


async def test_a_flood_of_calls_is_cut_and_every_call_is_answered() -> None:
    tools = Toolbelt()
    flood = [call("look__up", {"n": number}, number) for number in range(500)]
    _, model = await do(TASK, asks(*flood), result({"answer": 1}), tools=tools)
    assert len(tools.calls) == MAX_PARALLEL_TOOL_CALLS
    heard = model.heard()[1:]
    assert len(heard) == 500
    assert [text for _, text in heard].count("found") == MAX_PARALLEL_TOOL_CALLS
    assert heard[-1][1] == f"error: at most {MAX_PARALLEL_TOOL_CALLS} calls in one turn; this one was not made"


async def test_a_long_tool_result_is_cut_and_says_so() -> None:
    tools = Toolbelt(result="x" * 50_000)
    _, model = await do(TASK, asks(call("look__up", {})), result({"answer": 1}), tools=tools)
    text = model.heard()[-1][1]
    assert text.endswith("[10000 characters cut]")
    assert len(text) < 41_000


async def test_the_loop_ends_after_the_calls_it_may_make() -> None:
    replies = [asks(call("look__up", {"n": number})) for number in range(3)]
    outcome, model = await do(replace(TASK, max_calls=3), *replies)
    failed = failure(outcome)
    assert (failed.kind, failed.message) == (FailureKind.CHECK, "no result after 3 model calls")
    assert len(model.asked) == 3


async def test_repairs_count_as_calls_too() -> None:
    outcome, _ = await do(replace(TASK, max_calls=2), "{}", "{}", repairs=9)
    assert failure(outcome).message == "no result after 2 model calls"


async def test_a_refusal_ends_it_at_once() -> None:
    failed = failure((await do(TASK, said("I will not", "refusal")))[0])
    assert (failed.kind, failed.message) == (FailureKind.REFUSAL, "I will not")
    assert failure((await do(TASK, said("", "refusal")))[0]).message == "the model refused"


async def test_a_reply_cut_off_is_asked_for_once_more_and_its_tool_calls_are_not_made() -> None:
    tools = Toolbelt()
    cut = said('{"result": {"ans', "length", call("look__up", {"q": 1}))
    outcome, model = await do(TASK, cut, result({"answer": 1}), tools=tools)
    assert outcome == Done(output={"answer": 1})
    assert tools.calls == []
    assert [role for role, _ in model.heard()] == ["assistant", "user"]
    assert "cut off" in model.heard()[-1][1]
    assert model.asked[1].messages[2].tool_calls == ()
    failed = failure((await do(TASK, cut, said("", "length"), tools=tools))[0])
    assert failed.kind is FailureKind.LENGTH
    assert tools.calls == []


@pytest.mark.parametrize(
    "error",
    [ModelError("mini", FailureKind.TRANSPORT, "down"), BudgetExceeded("usd", 1.0, 1.1)],
    ids=["model", "budget"],
)
async def test_errors_of_the_model_go_up_untouched(error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        await do(TASK, asks(call("look__up", {})), error)
    assert caught.value is error


def test_schema_evidence_names_the_place_what_was_expected_and_what_was_found() -> None:
    schema: JsonObject = {"type": "object", "properties": {"rows": {"type": "array", "items": {"type": "integer"}}}}
    found = schema_evidence({"rows": [1, "x", 2, "y"]}, schema)
    assert [item.where for item in found] == ["output.rows[1]", "output.rows[3]"]
    assert "integer" in found[0].expected
    assert "x" in found[0].found
    assert len(schema_evidence({"rows": ["x"] * 50}, schema)) == 5
    assert schema_evidence({"rows": [1]}, schema) == []


HOSTILE: Sequence[JsonObject] = [
    {"$ref": "#"},
    {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
    {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]},
    {"type": "string", "pattern": "^(a+)+$"},
]


@pytest.mark.parametrize("schema", HOSTILE, ids=str)
@pytest.mark.timeout(60)
def test_a_schema_written_by_a_model_cannot_hang_or_break_the_worker(schema: JsonObject) -> None:
    outcome = read_result(json.dumps({"result": "a" * 40 + "!", "cannot": None}), schema)
    assert failure(outcome).kind is FailureKind.SCHEMA


@given(
    st.text()
    | st.sampled_from(['{"result": ', "CANNOT", "```json\n{", "[" * 3000, "\ud800", '{"cannot": {"code": []}}'])
)
def test_no_reply_breaks_the_reader(text: str) -> None:
    for schema in (SCHEMA, None):
        outcome = read_result(text, schema)
        assert isinstance(outcome, Done | Failed)
        assert isinstance(outcome, Done) or outcome.message
