"""Whose fault it is that the code of a check raised: its own, or that of the answer it looked at."""

import ast
import re
import warnings
from collections.abc import Iterator

from planloom.tools.imports import imported, install

_MODULE = re.compile(r"ModuleNotFoundError: No module named '([\w.]+)'")
_IMPORT = re.compile(r"ImportError: cannot import name '(\w+)'")
_NAME = re.compile(r"NameError: name '(\w+)' is not defined")


def own_fault(code: str, error: str, *, loads: bool) -> str:
    """Return why the code of a check can run on no answer at all; empty when the answer may be at fault.

    Args:
        code: Of the check.
        error: Type and message of what it raised.
        loads: Whether it looks at names that the answer's code defines.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a backslash in a pattern
            nodes = list(ast.walk(ast.parse(code)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return error
    if (found := _MODULE.match(error)) and found[1].partition(".")[0] in {name for name, _ in imported(nodes)}:
        return f"{error}; {install(found[1].partition('.')[0])}"
    if (found := _IMPORT.match(error)) and found[1] in set(_from(nodes)):
        return error
    if not loads and (found := _NAME.match(error)) and _only_read(nodes, found[1]):
        return error
    return ""


def _from(nodes: list[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            yield from (alias.name for alias in node.names)


def _only_read(nodes: list[ast.AST], name: str) -> bool:
    """Whether the code reads a name that none of its lines, on whichever way, could have set."""
    found = [node.ctx for node in nodes if isinstance(node, ast.Name) and node.id == name]
    named = [node for node in nodes if getattr(node, "name", None) == name or getattr(node, "arg", None) == name]
    return bool(found) and not named and all(isinstance(context, ast.Load) for context in found)
