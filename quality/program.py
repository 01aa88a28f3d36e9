"""Code answers: the program an answer makes, and the visible tests that can say something about it."""

import ast
import re
import textwrap
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_FENCED = re.compile(r"```(?:python|py)?[ \t]*\n(.*?)```", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeTask:
    """A function to write, with tests that the writer could see."""

    prompt: str
    """Imports, signature and docstring."""
    name: str
    """The function."""
    tests: tuple[str, ...]
    """Statements such as `assert f(1) == 2`."""


def program(task: CodeTask, answer: str) -> str:
    """Return the module an answer makes: a function below the prompt's imports, or a body below its signature."""
    fenced = _FENCED.search(answer)
    code = fenced[1] if fenced else answer.strip("\n")
    start = re.search(rf"^(?:async\s+)?def\s+{re.escape(task.name)}\b", task.prompt, re.MULTILINE)
    if re.search(rf"^\s*(?:async\s+)?def\s+{re.escape(task.name)}\b", code, re.MULTILINE):
        return (task.prompt[: start.start()] if start else "") + textwrap.dedent(code)
    body = code if not code or code[0].isspace() else textwrap.indent(code, "    ")
    return f"{task.prompt.rstrip()}\n{body}\n"


def telling(tests: Iterable[str]) -> tuple[str, ...]:
    """Return the tests that can be read, small slips mended: one that makes no sense says nothing about the answer."""
    mended = (next((form for form in _forms(test.strip()) if _readable(form)), None) for test in tests)
    return tuple(test for test in mended if test is not None)


def _forms(test: str) -> Iterator[str]:
    """Yield a test as written, then mended of what examples in prose have: an arrow, a full stop, a lost bracket."""
    yield test
    test = re.sub(r"^as+ert\b", "assert", test)
    test = re.sub(r"\s*(?:=>|->|➞|→)\s*", " == ", test, count=1) if "==" not in test else test
    for form in (test, test.rstrip(" .,;")):
        yield form
        yield form + _CLOSING.get(form.rstrip()[-1:], "]")


_CLOSING = {"(": ")", "{": "}"}


def _readable(test: str) -> bool:
    """Tell whether a test compares, calls or asserts something in Python that can be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of `is` beside a literal
            return bool(ast.parse(test).body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
