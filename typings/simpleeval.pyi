"""The part of simpleeval that Planloom uses."""

import ast
from collections.abc import Callable, Mapping

DEFAULT_OPERATORS: dict[type[ast.AST], Callable[..., object]]

class InvalidExpression(Exception): ...
class FeatureNotAvailable(InvalidExpression): ...

class EvalWithCompoundTypes:
    nodes: dict[type[ast.AST], Callable[..., object]]
    operators: Mapping[type[ast.AST], Callable[..., object]]
    functions: Mapping[str, Callable[..., object]]
    def __init__(
        self,
        operators: Mapping[type[ast.AST], Callable[..., object]] | None = None,
        functions: Mapping[str, Callable[..., object]] | None = None,
        names: Mapping[str, object] | None = None,
    ) -> None: ...
    def eval(self, expr: str, previously_parsed: ast.AST | None = None) -> object: ...
    def _eval(self, node: ast.AST) -> object: ...
    def _eval_attribute(self, node: ast.Attribute) -> object: ...
    def _eval_subscript(self, node: ast.Subscript) -> object: ...
