"""Modules that code for a box imports, and whether the boxes have them."""

import ast
import importlib.util
import warnings
from collections.abc import Iterator

_SCIENCE = frozenset(("numpy", "pandas", "pint", "sympy"))


def imported(nodes: list[ast.stmt] | list[ast.AST]) -> Iterator[tuple[str, int]]:
    """Yield the top-level modules that these nodes import, each with its line."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((alias.name.partition(".")[0], node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0], node.lineno


def lacking(code: str) -> Iterator[str]:
    """Yield what is wrong with the imports that `code` cannot do without: those at its top that are not installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a backslash in a pattern
            body = ast.parse(code).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return  # told elsewhere
    for name, line in imported(body):
        if importlib.util.find_spec(name) is None:
            yield f"line {line} imports {name!r}, which is not installed; {install(name)}"


def install(name: str) -> str:
    """Say how a missing module is installed."""
    return 'pip install "planloom[science]"' if name in _SCIENCE else f"install the package that has {name!r}"
