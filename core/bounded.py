"""The evaluator behind expressions: simpleeval, with a bound on the work that one expression may do.

Expressions are written by models too and run in the event loop, so none may take long. Every step, and the
size of whatever an operator or a function goes through, is taken from one allowance.
"""

import ast
from collections.abc import Callable, Collection, Mapping, Sized
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
        super().__init__(names=names)
        self.operators = {kind: self._charged(apply) for kind, apply in {**DEFAULT_OPERATORS, **_OPERATORS}.items()}
        self.functions = {name: call if call is len else self._charged(call) for name, call in functions.items()}
        self._left = _ALLOWANCE
        self._weights: dict[int, tuple[object, int]] = {}

    def _eval(self, node: ast.AST) -> object:
        self._spend(_STEP)
        handler = self.nodes.get(type(node))
        if handler is None:
            raise FeatureNotAvailable(f"{type(node).__name__} is not available in an expression")
        return handler(node)

    def _eval_attribute(self, node: ast.Attribute) -> object:
        value = _object(self._eval(node.value))
        if value is None:
            raise InvalidExpression(f"no {node.attr!r} here; only objects have names")
        if node.attr not in value:
            names = ", ".join(str(key) for key in [*value][:8]) or "none"
            raise InvalidExpression(f"no {node.attr!r} in an object with the names {names}")
        return value[node.attr]

    def _eval_subscript(self, node: ast.Subscript) -> object:
        value = super()._eval_subscript(node)
        if isinstance(node.slice, ast.Slice):
            self._spend(self._weigh(value))
        return value

    def _charged(self, function: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **options: object) -> object:
            self._spend(_STEP + 2 * sum(self._weigh(arg) for arg in args))
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
        parts = _parts(value)
        if parts is None:
            return 1
        known = self._weights.get(id(value))
        if known is not None:
            return known[1]
        self._spend(8 * len(parts))
        weight = 1 + sum(self._weigh(part) for part in parts)
        self._weights[id(value)] = value, weight
        return weight


def _object(value: object) -> dict[object, object] | None:
    return cast("dict[object, object]", value) if isinstance(value, dict) else None


def _parts(value: object) -> Collection[object] | None:
    """Return what a container holds; `None` for anything else."""
    if isinstance(value, dict):
        pairs = cast("dict[object, object]", value)
        return [*pairs.keys(), *pairs.values()]
    return cast("Collection[object]", value) if isinstance(value, list | tuple | set) else None


def _bound_bits(bits: int) -> None:
    if bits > _MAX_BITS:
        raise TooMuchWorkError(f"the number would have more than {_MAX_BITS} bits")


def _bound_items(items: int) -> None:
    if items > _MAX_ITEMS:
        raise TooMuchWorkError(f"the text or list would be longer than {_MAX_ITEMS}")


def _multiply(left: object, right: object) -> object:
    match left, right:
        case int(), int():
            _bound_bits(left.bit_length() + right.bit_length())
        case Sized(), int():
            _bound_items(len(left) * right)
        case int(), Sized():
            _bound_items(left * len(right))
        case Sized(), Sized():
            raise TypeError("a text or list is multiplied by a number only")
        case _:
            pass
    return DEFAULT_OPERATORS[ast.Mult](left, right)


def _power(base: object, exponent: object) -> object:
    if isinstance(base, int) and isinstance(exponent, int):
        _bound_bits(base.bit_length() * abs(exponent))
    return DEFAULT_OPERATORS[ast.Pow](base, exponent)


def _shift_left(value: object, places: object) -> object:
    if isinstance(value, int) and isinstance(places, int):
        _bound_bits(value.bit_length() + places)
    return DEFAULT_OPERATORS[ast.LShift](value, places)


def _remainder(left: object, right: object) -> object:
    if isinstance(left, str | bytes):
        raise TypeError("% does not format text; use + and str()")
    return DEFAULT_OPERATORS[ast.Mod](left, right)


_OPERATORS: Mapping[type[ast.AST], Callable[..., object]] = {
    ast.Mult: _multiply,
    ast.Pow: _power,
    ast.LShift: _shift_left,
    ast.Mod: _remainder,
}
