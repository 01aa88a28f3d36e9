"""The verifier: every kind of check, what its evidence says, and where it stops."""

import asyncio
import functools
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from planloom.agents.verifier import Claim, Verifier
from planloom.core.check import Check, CodeCheck, ExprCheck, FunctionCheck, JudgeCheck, RegexCheck, TextCheck
from planloom.core.errors import BudgetExceeded, CheckError
from planloom.core.json import Json
from planloom.core.outcome import Evidence, Usage
from planloom.models.base import ChatModel, Reply, Request
from planloom.tools.sandbox import Sandbox

CLAIM = Claim(
    node_id="n",
    attempt=1,
    goal="Find it",
    output={"title": "Rows 12", "rows": [1, 2], "source": "def double(x):\n    return 2 * x\n"},
    values={"limit": 3},
    inputs={"task": "t"},
)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as sandbox:
        yield sandbox


Verify = Callable[..., "asyncio.Future[tuple[Evidence, ...]]"]


def loads(**functions: Callable[..., object]) -> Callable[[str], Callable[..., object]]:
    return lambda ref: functions[ref.partition(":")[2]]


def nobody(name: str | None) -> ChatModel:
    raise AssertionError("no judge was to be asked")


async def verify(
    sandbox: Sandbox, *checks: Check, claim: Claim = CLAIM, **functions: Callable[..., object]
) -> list[Evidence]:
    return list(await Verifier(sandbox, loads(**functions), nobody).verify(claim, checks))


@pytest.mark.parametrize(
    ("expr", "passed", "found"),
    [
        ("len(output.rows) < limit and inputs.task == 't'", True, "true"),
        ("sum(output.rows) > 5", False, 'false, with output {"title": "Rows 12"'),
        ("output.nope > 5", False, "no 'nope' in an object with the names title, rows, source"),
        ("unknown > 5", False, "'unknown' is not defined"),
        ("10 ** 10 ** 10 > 1", False, "more than 8192 bits"),
        ("1 +", False, "cannot read"),
    ],
)
async def test_expressions(sandbox: Sandbox, expr: str, passed: bool, found: str) -> None:
    (evidence,) = await verify(sandbox, ExprCheck(expr=expr))
    assert (evidence.check, evidence.passed, evidence.expected) == (f"expr: {expr}", passed, expr)
    assert found in evidence.found


async def test_an_expressions_message_tells_the_worker_what_is_expected(sandbox: Sandbox) -> None:
    (evidence,) = await verify(sandbox, ExprCheck(expr="len(output.rows) > 2", message="give at least 3 rows"))
    assert evidence.expected == "give at least 3 rows"


@pytest.mark.parametrize(
    ("pattern", "path", "passed", "found"),
    [
        (r"^Rows \d+$", "output.title", True, "Rows 12"),
        (r"^\d+$", "output.title", False, "Rows 12"),
        (r"\[1, 2\]", "output.rows", True, "[1, 2]"),
        (r"x", "output.nope", False, "no 'nope'"),
        (r"x", "output.rows[7]", False, "no 7 in a list of 2"),
    ],
)
async def test_patterns(sandbox: Sandbox, pattern: str, path: str, passed: bool, found: str) -> None:
    (evidence,) = await verify(sandbox, RegexCheck(pattern=pattern, path=path))
    assert evidence.passed is passed
    assert found in evidence.found


@pytest.mark.parametrize(
    ("check", "passed", "found", "where"),
    [
        (CodeCheck(code="assert output['rows'] == [1, 2]"), True, "true", ""),
        (CodeCheck(code="# nothing to check"), True, "true", ""),
        (CodeCheck(code="result = len(output['rows']) > limit"), False, "false", ""),
        (CodeCheck(code="result = len(output['rows']) < limit"), True, "true", ""),
        (CodeCheck(code="0"), False, "false", ""),
        (CodeCheck(code="x = 1; x > 2"), False, "false", ""),
        (CodeCheck(code="'é'; (\n 1 >\n 2)"), False, "false", ""),
        (CodeCheck(code=r"import re; re.search('\d+', output['title']) is None"), False, "false", ""),
        (CodeCheck(code="len(output['rows']) < limit"), True, "true", ""),
        (CodeCheck(code="len(output['rows']) > limit"), False, "false", ""),
        (CodeCheck(code="x = 1\nassert sum(output['rows']) == 4, 'sum is 3'"), False, "sum is 3", "check line 2"),
        (CodeCheck(code="1 / 0"), False, "ZeroDivisionError", "check line 1"),
        (CodeCheck(code="assert double(4) == 8", load="output.source"), True, "true", ""),
        (CodeCheck(code="\nassert double(4) == 9", load="output.source"), False, "AssertionError", "check line 2"),
        (CodeCheck(code="double(None)", load="output.source"), False, "TypeError", "output.source line 2"),
        (CodeCheck(code="1", load="output.nope"), False, "no 'nope'", ""),
        (CodeCheck(code="1", load="output.title"), False, "SyntaxError", "output.title line 1"),
    ],
    ids=lambda value: value.code if isinstance(value, CodeCheck) else "",
)
async def test_code_in_the_sandbox(sandbox: Sandbox, check: CodeCheck, passed: bool, found: str, where: str) -> None:
    (evidence,) = await verify(sandbox, check)
    assert (evidence.check, evidence.passed) == ("code", passed)
    assert found in evidence.found
    assert evidence.where == where


@pytest.mark.parametrize("code", ["def f():\n", "(", "if True:", "x = (\n1,\n", "'''"])
async def test_code_that_ends_too_early_is_evidence_and_no_crash(sandbox: Sandbox, code: str) -> None:
    (evidence,) = await verify(sandbox, CodeCheck(code="1", load="output.source"), claim=with_source(code))
    assert not evidence.passed
    with pytest.raises(CheckError, match=r"check 1 cannot run: .*Error"):
        await verify(sandbox, CodeCheck(code=code))


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import nosuchlib\nnosuchlib.f(output)", "line 1 of its code: .*'nosuchlib'; install the package"),
        ("assert outptu == 1", "name 'outptu' is not defined"),
        ("from math import nosuch", "cannot import name 'nosuch'"),
    ],
)
async def test_code_that_can_run_on_no_answer_is_the_checks_own_fault(sandbox: Sandbox, code: str, told: str) -> None:
    with pytest.raises(CheckError, match=told):
        await verify(sandbox, ExprCheck(expr="1 == 1"), CodeCheck(code=code))


@pytest.mark.parametrize(
    "code",
    [
        "exec(output['source'])",
        "if len(output['source']) > 999:\n    found = 1\nassert found",
        "import json\njson.loads(output['source'])",
    ],
)
async def test_what_the_answer_made_a_check_raise_is_evidence(sandbox: Sandbox, code: str) -> None:
    (evidence,) = await verify(sandbox, CodeCheck(code=code), claim=with_source("import nosuchlib\nnosuch + 1"))
    assert not evidence.passed
    assert "Error" in evidence.found


async def test_a_name_that_the_loaded_code_does_not_define_is_the_answers_fault(sandbox: Sandbox) -> None:
    (evidence,) = await verify(sandbox, CodeCheck(code="assert tripled(1) == 3", load="output.source"))
    assert not evidence.passed
    assert "tripled" in evidence.found


def with_source(code: str) -> Claim:
    return replace(CLAIM, output={"source": code})


@pytest.mark.parametrize(
    "source",
    [
        "import os\nos._exit(0)",
        "raise SystemExit(0)",
        "def bool(value):\n    return True",
        "result = True\ndef not_(x):\n    return True",
    ],
)
async def test_loaded_code_cannot_make_its_own_check_pass(sandbox: Sandbox, source: str) -> None:
    (evidence,) = await verify(sandbox, CodeCheck(code="1 > 2", load="output.source"), claim=with_source(source))
    assert not evidence.passed


def exact(output: Json, **names: Json) -> object:
    return names == {"limit": 3, "more": [1]} and output == CLAIM.output


async def test_a_function_gets_the_output_the_values_and_its_own_arguments(sandbox: Sandbox) -> None:
    (evidence,) = await verify(sandbox, FunctionCheck(ref="m:exact", args={"more": [1]}), exact=exact)
    assert (evidence.check, evidence.passed) == ("ref: m:exact", True)


async def passes(output: Json, limit: Json) -> object:
    await asyncio.sleep(0)
    return True


async def fails(output: Json, limit: Json) -> object:
    return f"more than {limit}"


class Checker:
    async def __call__(self, output: Json, limit: Json) -> object:
        return output != limit


def raises(output: Json, limit: Json) -> object:
    raise LookupError("it broke")


def asserts(output: Json, limit: Json) -> object:
    raise AssertionError("too many")


def on_a_thread(output: Json, limit: Json) -> object:
    return threading.current_thread() is not threading.main_thread()


@pytest.mark.parametrize(
    ("function", "passed", "found"),
    [
        (lambda output, limit: True, True, ""),
        (lambda output, limit: False, False, "False"),
        (lambda output, limit: "too long", False, "too long"),
        (lambda output, limit: None, False, "None"),
        (lambda output, limit: 1, False, "1"),
        (asserts, False, "too many"),
        (on_a_thread, True, ""),
        (passes, True, ""),
        (fails, False, "more than 3"),
        (functools.partial(passes, limit=3), True, ""),
        (Checker(), True, ""),
    ],
    ids=range(11),
)
async def test_functions(sandbox: Sandbox, function: Callable[..., object], passed: bool, found: str) -> None:
    (evidence,) = await verify(sandbox, FunctionCheck(ref="m:f", args={}), f=function)
    assert evidence.passed is passed
    assert found in evidence.found


@pytest.mark.parametrize("function", [raises, lambda output: True], ids=["raises", "arguments"])
async def test_a_function_that_raises_is_at_fault_itself(sandbox: Sandbox, function: Callable[..., object]) -> None:
    with pytest.raises(CheckError, match="check 1 cannot run: ref: m:f: ") as broken:
        await verify(sandbox, FunctionCheck(ref="m:f", args={}), f=function)
    assert "Traceback" in broken.value.trace
    if function is raises:
        assert "LookupError: it broke (test_verifier.py:" in broken.value.message
        assert broken.value.message.endswith(" in raises)")


@pytest.mark.parametrize(
    ("text", "passed", "found"),
    [
        ('{"pass": true, "reason": "fine"}', True, "fine"),
        ('{"pass": false, "reason": "line 3 is wrong"}', False, "line 3 is wrong"),
        ('```json\n{"pass": true, "reason": ""}\n```', True, ""),
        ('{"pass": "true", "reason": "a text is no verdict"}', False, '{"pass": "true"'),
        ('{"reason": "nothing"}', False, "nothing"),
        ("It looks good to me", False, "It looks good to me"),
        ("", False, ""),
    ],
)
async def test_a_judge(sandbox: Sandbox, text: str, passed: bool, found: str) -> None:
    asked: list[tuple[str | None, Request]] = []

    def judges(name: str | None) -> ChatModel:
        async def model(request: Request) -> Reply:
            asked.append((name, request))
            return Reply(text=text, finish="stop", usage=Usage(calls=1), model="m")

        return model

    verifier = Verifier(sandbox, loads(), judges)
    (evidence,) = await verifier.verify(CLAIM, [JudgeCheck(judge="Is it polite?", model="big")])
    assert (evidence.check, evidence.passed) == ("judge", passed)
    assert found in evidence.found
    ((name, request),) = asked
    assert (name, request.role, request.node_id, request.attempt) == ("big", "judge", "n", 1)
    assert request.schema is not None
    for part in ("Is it polite?", "Find it", "Rows 12"):
        assert part in request.messages[1].text


async def test_checks_run_in_order_up_to_the_first_that_fails(sandbox: Sandbox) -> None:
    called: list[str] = []

    def note(output: Json, limit: Json, name: Json) -> object:
        called.append(str(name))
        return name != "second"

    checks = [FunctionCheck(ref="m:note", args={"name": name}) for name in ("first", "second", "third")]
    found = await verify(sandbox, *checks, JudgeCheck(judge="never asked"), note=note)
    assert called == ["first", "second"]
    assert [evidence.passed for evidence in found] == [True, False]
    assert await verify(sandbox) == []


async def test_a_judge_that_cannot_be_paid_is_no_verdict(sandbox: Sandbox) -> None:
    async def model(request: Request) -> Reply:
        raise BudgetExceeded("usd", 1.0, 1.1)

    with pytest.raises(BudgetExceeded):
        await Verifier(sandbox, loads(), lambda name: model).verify(CLAIM, [JudgeCheck(judge="?")])


async def test_a_text_check_holds_the_answer_against_the_goal_and_the_values(sandbox: Sandbox) -> None:
    claim = replace(
        CLAIM,
        goal="How many lamps are there?",
        output={"answer": "12 * 30 = 370 lamps\n#### 370"},
        values={"shelves": 12, "each": 30},
    )
    used, broken = await verify(
        sandbox,
        TextCheck(text="numbers_used", path="output.answer"),
        TextCheck(text="arithmetic", path="output.answer"),
        claim=claim,
    )
    assert used.passed
    assert not broken.passed
    assert (broken.check, broken.found, broken.where) == ("text: arithmetic", "12*30 = 370, not 360", "output.answer")


async def test_a_text_check_of_a_path_that_is_not_there_fails(sandbox: Sandbox) -> None:
    (evidence,) = await verify(sandbox, TextCheck(text="complete", path="output.nope"))
    assert not evidence.passed
    assert evidence.expected == "text at output.nope"
