"""The verifier: runs a node's checks on its output and returns evidence, not opinion."""

import ast
import asyncio
import inspect
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from planloom.agents.blame import own_fault
from planloom.agents.judge import judge
from planloom.core.check import Check, CodeCheck, ExprCheck, FunctionCheck, JudgeCheck, RegexCheck, TextCheck
from planloom.core.errors import CheckError
from planloom.core.expr import ExprError, evaluate
from planloom.core.json import Json
from planloom.core.outcome import Evidence
from planloom.core.pattern import has_match
from planloom.core.refs import RefError, as_text, read_path, walk
from planloom.models.base import ChatModel
from planloom.quality.catalogue import check_text as run_check
from planloom.quality.reading import Reading
from planloom.tools.raised import place_of, told, trace_of
from planloom.tools.sandbox import Sandbox

CODE_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """An output that wants to be accepted, and what its checks may look at."""

    node_id: str
    attempt: int
    goal: str
    output: Json
    values: Mapping[str, Json]
    """The node's `with` values, filled in, and `item` and `index` in a map."""
    inputs: Mapping[str, Json]
    """The run's inputs."""

    @property
    def names(self) -> dict[str, Json]:
        """The names that expressions and code see."""
        return {"inputs": dict(self.inputs), **self.values, "output": self.output}


class _Broken(Exception):
    """A check cannot run."""

    def __init__(self, message: str, trace: str = "") -> None:
        self.message, self.trace = message, trace
        super().__init__(message)


class Verifier:
    """Runs checks.

    Args:
        sandbox: Where code checks run.
        load: Finds the Python function that a `ref` check names.
        judges: Returns the model of a rung for `judge` checks, `None` for the last of the ladder.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        load: Callable[[str], Callable[..., object]],
        judges: Callable[[str | None], ChatModel],
    ) -> None:
        self._sandbox = sandbox
        self._load = load
        self._judges = judges

    async def verify(self, claim: Claim, checks: Sequence[Check]) -> tuple[Evidence, ...]:
        """Run the checks in order, up to and including the first that fails.

        Raises:
            ModelError: A judging model gave no usable reply.
            BudgetExceeded: A judging call does not fit the budget.
            ToolError: The sandbox a code check needs is not to be had here.
            CheckError: A check cannot run, whatever the answer is.
        """
        found: list[Evidence] = []
        for index, check in enumerate(checks):
            try:
                found.append(await self._one(claim, check))
            except _Broken as exc:
                raise CheckError(index, exc.message, trace=exc.trace) from exc
            if not found[-1].passed:
                break
        return tuple(found)

    async def _one(self, claim: Claim, check: Check) -> Evidence:
        match check:
            case ExprCheck():
                return check_expr(check, claim)
            case RegexCheck():
                return check_regex(check, claim)
            case TextCheck():
                return check_text(check, claim)
            case CodeCheck():
                return await self._code(check, claim)
            case FunctionCheck():
                return await self._function(check, claim)
            case JudgeCheck():
                model = self._judges(check.model)
                return await judge(
                    check.judge, claim.goal, claim.output, model, node_id=claim.node_id, attempt=claim.attempt
                )

    async def _code(self, check: CodeCheck, claim: Claim) -> Evidence:
        code = as_verdict(check.code)
        if check.load is None:
            result = await self._sandbox.run(code, claim.names, timeout_s=CODE_TIMEOUT_S)
        else:
            try:
                loaded = as_text(walk(claim.output, read_path(check.load), check.load))
            except RefError as exc:
                return Evidence(check="code", passed=False, expected=f"source code at {check.load}", found=str(exc))
            result = await self._sandbox.check(code, claim.names, loaded=loaded, timeout_s=CODE_TIMEOUT_S)
        if not result.loaded_line and (broken := own_fault(check.code, result.error, loads=check.load is not None)):
            raise _Broken(f"line {result.line} of its code: {broken}" if result.line else broken)
        passed = not result.error and result.value is True
        where = f"check line {result.line}" if result.line else ""
        lines = check.code.splitlines()
        return Evidence(
            check="code",
            passed=passed,
            expected=lines[result.line - 1].strip() if 0 < result.line <= len(lines) else check.code.strip()[:200],
            found=(result.error or json.dumps(result.value, ensure_ascii=False)[:300]),
            where=f"{check.load} line {result.loaded_line}" if result.loaded_line else where,
        )

    async def _function(self, check: FunctionCheck, claim: Claim) -> Evidence:
        name = f"ref: {check.ref}"
        arguments = {**claim.values, **check.args}
        try:
            function = self._load(check.ref)
            if inspect.iscoroutinefunction(function):
                verdict: object = function(claim.output, **arguments)
            else:
                verdict = await asyncio.to_thread(function, claim.output, **arguments)
            if inspect.isawaitable(verdict):
                verdict = await verdict
        except AssertionError as exc:
            found = str(exc)[:500] or f"AssertionError ({place_of(exc)})"
            return Evidence(check=name, passed=False, expected="true", found=found)
        except (Exception, SystemExit) as exc:  # the user's own function may raise anything
            raise _Broken(f"{name}: {told(exc)}", trace_of(exc)) from exc
        found = "" if verdict is True else str(verdict)[:500]
        return Evidence(check=name, passed=verdict is True, expected="true", found=found)


def as_verdict(code: str) -> str:
    """Return check code whose result is a boolean: what it sets as `result`, or its last expression, is not false.

    Code that cannot be read stays as it is: the sandbox says what is wrong with it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a backslash in a pattern
            body = ast.parse(code).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return code
    last = body[-1] if body else None
    text = ast.get_source_segment(code, last) if isinstance(last, ast.Expr) else None
    if last is not None and text is not None:
        lines = code.splitlines(keepends=True)
        head = "".join(lines[: last.lineno - 1]) + lines[last.lineno - 1].encode()[: last.col_offset].decode()
        return f"{head}result = {_VERDICT}({text})"
    return f"{code}\nresult = {_VERDICT}(result)" if any(map(_sets_result, body)) else f"{code}\nresult = True"


_VERDICT = "(lambda value: value is None or not not value)"
"""Calls nothing by name: the code under test may have redefined it."""


def _sets_result(statement: ast.stmt) -> bool:
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    return any(isinstance(target, ast.Name) and target.id == "result" for target in targets)


def check_expr(check: ExprCheck, claim: Claim) -> Evidence:
    """Evaluate a boolean expression; the evidence shows the values it read."""
    try:
        passed = bool(evaluate(check.expr, claim.names))
        found = "true" if passed else f"false, with output {json.dumps(claim.output, ensure_ascii=False)[:300]}"
    except ExprError as exc:
        passed, found = False, str(exc)[:500]
    return Evidence(check=f"expr: {check.expr}", passed=passed, expected=check.message or check.expr, found=found)


def check_regex(check: RegexCheck, claim: Claim) -> Evidence:
    """Look for a pattern in the text at a path of the output."""
    name = f"regex: {check.pattern}"
    try:
        value = walk(claim.output, read_path(check.path), check.path)
    except RefError as exc:
        return Evidence(check=name, passed=False, expected=f"text at {check.path}", found=str(exc))
    text = as_text(value)
    if value is None:
        return Evidence(check=name, passed=False, expected=f"text at {check.path}", found="null", where=check.path)
    passed = has_match(check.pattern, text)
    return Evidence(check=name, passed=passed, expected=check.pattern, found=text[:300], where=check.path)


def check_text(check: TextCheck, claim: Claim) -> Evidence:
    """Run a built-in check on the text at a path of the output."""
    name = f"text: {check.text}"
    try:
        value = walk(claim.output, read_path(check.path), check.path)
    except RefError as exc:
        return Evidence(check=name, passed=False, expected=f"text at {check.path}", found=str(exc))
    given = [as_text(value) for value in claim.values.values()]
    reading = Reading(text=as_text(value), question="\n".join([claim.goal, *given]), sources=given)
    return replace(run_check(check.text, reading).evidence, where=check.path)
