"""The evaluator behind expressions: simpleeval, with a bound on the work that one expression may do.

Expressions are written by models too and run in the event loop, so none may take long. Every step, and the
size of whatever an operator or a function goes through, is taken from one allowance.
"""

import ast
import operator
from collections.abc import Callable, Mapping, Sized
from typing import cast

from simpleeval import DEFAULT_OPERATORS, EvalWithCompoundTypes, FeatureNotAvailable, InvalidExpression

_ALLOWANCE = 20_000_000
"""Units of work; one is about 30 ns, so that the whole is about half a second."""
_STEP = 40
"""Units for one step of the evaluator."""
_MAX_BITS = 8_192
"""Of an integer that an operator makes."""
_MAX_ITEMS = 100_000
"""Of a text or list that an operator makes."""


class TooMuchWorkError(InvalidExpression):
    """The expression would take too long, or make a value that is too large."""


class BoundedEval(EvalWithCompoundTypes):
    """Evaluates one expression. Dots read keys of objects, never attributes of Python objects."""

    def __init__(self, functions: Mapping[str, Callable[..., object]], names: Mapping[str, object]) -> None:
        operators = {kind: self._charged(apply) for kind, apply in {**DEFAULT_OPERATORS, **_OPERATORS}.items()}
        charged = {
            name: function if function is len else self._charged(function) for name, function in functions.items()
        }
        super().__init__(operators=operators, functions=charged, names=names)
        self._left = _ALLOWANCE
        self._weights: dict[int, tuple[object, int]] = {}

    def _eval(self, node: ast.AST) -> object:
        self._spend(_STEP)
        handler = self.nodes.get(type(node))
        if handler is None:
            raise FeatureNotAvailable(f"{type(node).__name__} is not available in an expression")
        return handler(node)

    def _eval_attribute(self, node: ast.Attribute) -> object:
        value = self._eval(node.value)
        if not isinstance(value, dict):
            raise InvalidExpression(f"no {node.attr!r} in {_kind(value)}; only objects have keys")
        if node.attr not in value:
            raise InvalidExpression(f"no {node.attr!r} in {_kind(cast(object, value))}")
        return cast("dict[str, object]", value)[node.attr]

    def _eval_subscript(self, node: ast.Subscript) -> object:
        value = super()._eval_subscript(node)
        if isinstance(node.slice, ast.Slice):
            self._spend(self._weigh(value))
        return value

    def _charged(self, function: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **options: object) -> object:
            self._spend(2 * sum(self._weigh(arg) for arg in args))
            result = function(*args, **options)
            self._spend(self._weigh(result))
            return result

        return call

    def _spend(self, units: int) -> None:
        self._left -= units
        if self._left < 0:
            raise TooMuchWorkError("it takes too much work to evaluate")

    def _weigh(self, value: object) -> int:
        """Return the units it takes to go through a value; shared parts count as often as they occur."""
        if isinstance(value, int):
            return 1 + value.bit_length() // 64
        if isinstance(value, str | bytes):
            return 1 + len(value) // 4
        if not isinstance(value, list | tuple | set | dict):
            return 1
        known = self._weights.get(id(cast(object, value)))
        if known is not None:
            return known[1]
        self._spend(8 * len(cast(Sized, value)))
        parts = [*value.keys(), *value.values()] if isinstance(value, dict) else value
        weight = 1 + sum(self._weigh(part) for part in cast("list[object]", parts))
        self._weights[id(cast(object, value))] = value, weight
        return weight


def _kind(value: object) -> str:
    if isinstance(value, dict):
        names = ", ".join(sorted(str(key) for key in cast("dict[object, object]", value))[:8])
        return f"an object with {names}" if names else "an empty object"
    return {str: "text", bool: "a boolean", int: "a number", float: "a number", list: "a list"}.get(
        type(value), "null" if value is None else type(value).__name__
    )


def _bits(bits: int) -> None:
    if bits > _MAX_BITS:
        raise TooMuchWorkError(f"the number would have more than {_MAX_BITS} bits")


def _items(items: int) -> None:
    if items > _MAX_ITEMS:
        raise TooMuchWorkError(f"the text or list would be longer than {_MAX_ITEMS}")


def _multiply(left: object, right: object) -> object:
    if isinstance(left, int) and isinstance(right, int):
        _bits(left.bit_length() + right.bit_length())
    elif isinstance(right, int) and isinstance(left, Sized):
        _items(len(left) * right)
    elif isinstance(left, int) and isinstance(right, Sized):
        _items(left * len(right))
    return operator.mul(left, right)


def _add(left: object, right: object) -> object:
    if isinstance(left, Sized) and isinstance(right, Sized):
        _items(len(left) + len(right))
    return operator.add(left, right)


def _power(base: object, exponent: object) -> object:
    if isinstance(base, int) and isinstance(exponent, int):
        _bits(base.bit_length() * abs(exponent))
    return operator.pow(base, exponent)


def _shift_left(value: object, places: object) -> object:
    if isinstance(value, int) and isinstance(places, int):
        _bits(value.bit_length() + places)
    return operator.lshift(value, places)


def _remainder(left: object, right: object) -> object:
    if isinstance(left, str | bytes):
        raise TypeError("% does not format text; use + and str()")
    return operator.mod(left, right)


_OPERATORS: Mapping[type[ast.AST], Callable[..., object]] = {
    ast.Add: _add,
    ast.Mult: _multiply,
    ast.Pow: _power,
    ast.LShift: _shift_left,
    ast.Mod: _remainder,
}
