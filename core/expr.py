"""Boolean expressions of checks and conditions, evaluated by simpleeval and never by `eval`."""

import ast
import re
import warnings
from collections.abc import Callable, Iterable, Mapping

from simpleeval import InvalidExpression

from planloom.core.bounded import BoundedEval
from planloom.core.json import Json
from planloom.core.pattern import PatternError, check_pattern, has_match

_QUOTED_OR_WRAPPED = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|\$\{([^{}]*)\}""")
_WRAPPED_REF = re.compile(r"\$\{\s*(inputs|nodes|item|index|output)\b[^{}]*\}")
_MAX_CHARS = 4000


class ExprError(ValueError):
    """The expression cannot be read, or cannot be evaluated on these values."""


def _sum(values: Iterable[object]) -> float:
    total: float = 0
    for value in values:
        if not isinstance(value, int | float):
            raise TypeError("sum takes a list of numbers")
        total += value
    return total


def _round(number: float, digits: int | None = None) -> float:
    if digits is not None and abs(digits) > 400:
        raise ValueError("round takes at most 400 digits")
    return round(number, digits)


FUNCTIONS: Mapping[str, Callable[..., object]] = {
    "len": len,
    "min": min,
    "max": max,
    "sum": _sum,
    "abs": abs,
    "round": _round,
    "any": any,
    "all": all,
    "sorted": sorted,
    "set": set,
    "str": str,
    "int": int,
    "float": float,
    "lower": str.lower,
    "upper": str.upper,
    "matches": has_match,
}
"""What an expression may call; methods are not callable."""


def parse_expr(text: str) -> ast.expr:
    """Read an expression; `${...}` around a name is allowed and means the name itself.

    Raises:
        ExprError: It is not one expression, or uses what is not allowed.
    """
    plain = _QUOTED_OR_WRAPPED.sub(lambda match: match[1] or f"({match[2]})", text).strip()
    if len(plain) > _MAX_CHARS:
        raise ExprError(f"expression is longer than {_MAX_CHARS} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a backslash in a pattern
            tree = ast.parse(plain, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as exc:
        raise ExprError(f"cannot read {text!r}: {getattr(exc, 'msg', exc)}") from None
    for node in ast.walk(tree):
        _refuse(node, text)
    return tree.body


def _refuse(node: ast.AST, text: str) -> None:
    match node:
        case ast.Call(func=ast.Name(id="matches"), args=[ast.Constant(value=str(pattern)), *_]):
            try:
                check_pattern(pattern)
            except PatternError as exc:
                raise ExprError(f"{text!r}: {pattern!r} is no pattern: {exc}") from None
        case ast.Call(func=ast.Name(id=name)) if name in FUNCTIONS:
            pass
        case ast.Call(func=ast.Name(id=name)) | ast.Call(func=ast.Attribute(attr=name)):
            raise ExprError(f"{text!r} calls {name!r}; allowed: {', '.join(FUNCTIONS)}")
        case ast.Call() | ast.Lambda() | ast.NamedExpr() | ast.Starred() | ast.JoinedStr():
            raise ExprError(f"{text!r}: {type(node).__name__} is not allowed in an expression")
        case ast.Constant(value=str(value)) if _WRAPPED_REF.search(value):
            raise ExprError(f"{text!r}: a reference inside quotes is only text; write it without the quotes")
        case _:
            pass


def names_in(text: str) -> set[str]:
    """Return the free names an expression reads.

    Raises:
        ExprError: As `parse_expr`.
    """
    tree = parse_expr(text)
    bound = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)} - bound - set(FUNCTIONS)


def inputs_in(text: str) -> set[str]:
    """Return the names of the run's inputs that an expression reads as `inputs.NAME`.

    Raises:
        ExprError: As `parse_expr`.
    """
    return {
        node.attr
        for node in ast.walk(parse_expr(text))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "inputs"
    }


def nodes_in(text: str) -> set[str]:
    """Return the ids of the nodes whose output an expression reads: `nodes.a.output`, `nodes["a"].output`.

    Raises:
        ExprError: As `parse_expr`, or `nodes` is used in another way.
    """
    found: set[str] = set()
    tree = parse_expr(text)
    uses = sum(isinstance(n, ast.Name) and n.id == "nodes" for n in ast.walk(tree))
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Attribute(value=ast.Name(id="nodes"), attr=node_id), attr="output"):
                found.add(node_id)
                uses -= 1
            case ast.Attribute(
                value=ast.Subscript(value=ast.Name(id="nodes"), slice=ast.Constant(value=str(node_id))),
                attr="output",
            ):
                found.add(node_id)
                uses -= 1
            case _:
                pass
    if uses:
        raise ExprError(f"{text!r}: expected nodes.ID.output")
    return found


def evaluate(text: str, names: Mapping[str, Json]) -> object:
    """Evaluate an expression over names; objects are read with dots.

    Raises:
        ExprError: It cannot be read, or fails on these values.
    """
    tree = parse_expr(text)
    evaluator = BoundedEval(FUNCTIONS, {**names, "true": True, "false": False, "null": None})
    try:
        return evaluator.eval(text, previously_parsed=tree)
    except InvalidExpression as exc:
        raise ExprError(f"{text!r}: {exc}") from None
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as exc:
        raise ExprError(f"{text!r}: {type(exc).__name__}: {exc}") from None
    except (RecursionError, MemoryError):
        raise ExprError(f"{text!r}: too large to evaluate") from None
