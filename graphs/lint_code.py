"""What can be wrong with the code of a node or of a check, seen without running it."""

import ast
import builtins
import symtable
import warnings
from collections.abc import Iterator

_ANYWHERE = frozenset(dir(builtins)) | {"__name__", "__annotations__"}
_BY_OTHER_WAYS = frozenset({"exec", "globals", "NameError"})
"""Code that uses these may have, or mean, names that cannot be seen in it."""


def code_faults(code: str, known: frozenset[str] | None) -> Iterator[str]:
    """Yield what is wrong with a piece of Python.

    Args:
        code: Its source.
        known: Names that it finds defined; `None` where that cannot be told.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a backslash in a pattern
            ast.parse(code)
            unknown = set[str]() if known is None else unknown_names(code) - known
    except (SyntaxError, ValueError, RecursionError, MemoryError) as exc:
        line = f" in line {exc.lineno}" if isinstance(exc, SyntaxError) else ""
        yield f"not Python{line}: {getattr(exc, 'msg', exc)}"
        return
    for name in sorted(unknown):
        given = ", ".join(sorted(known or ()))
        yield f"unknown name {name!r}; the code is given: {given}"


def unknown_names(code: str) -> set[str]:
    """Return the names that code reads, does not make itself, and Python does not know.

    Raises:
        SyntaxError: It is no Python.
    """
    module = symtable.symtable(code, "code", "exec")
    read, made = set[str](), set[str]()
    for table in _tables(module):
        for symbol in table.get_symbols():
            outside = table is module or symbol.is_global()
            if outside and symbol.is_referenced():
                read.add(symbol.get_name())
            if outside and (symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()):
                made.add(symbol.get_name())
    if read & _BY_OTHER_WAYS or any(line.endswith("import *") for line in code.splitlines()):
        return set()
    return read - made - _ANYWHERE


def _tables(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    yield table
    for inner in table.get_children():
        yield from _tables(inner)
