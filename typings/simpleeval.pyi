"""The part of simpleeval that Planloom uses."""

import ast
from collections.abc import Callable, Mapping

DEFAULT_OPERATORS: dict[type[ast.AST], Callable[..., object]]

class InvalidExpression(Exception): ...

class EvalWithCompoundTypes:
    def __init__(
        self,
        operators: Mapping[type[ast.AST], Callable[..., object]] | None = None,
        functions: Mapping[str, Callable[..., object]] | None = None,
        names: Mapping[str, object] | None = None,
    ) -> None: ...
    def eval(self, expr: str) -> object: ...
