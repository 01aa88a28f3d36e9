"""Boolean expressions of checks and conditions, evaluated by simpleeval and never by `eval`."""

import ast
import re
from collections.abc import Callable, Mapping

import re2
from simpleeval import DEFAULT_OPERATORS, EvalWithCompoundTypes, InvalidExpression

from planloom.core.json import Json

_WRAPPED = re.compile(r"\$\{([^{}]*)\}")


class ExprError(ValueError):
    """The expression cannot be read, or cannot be evaluated on these values."""


def _matches(pattern: str, text: str) -> bool:
    return re2.search(pattern, text) is not None


FUNCTIONS: Mapping[str, Callable[..., object]] = {
    "len": len,
    "min": min,
    "max": max,
    "sum": sum,
    "abs": abs,
    "round": round,
    "any": any,
    "all": all,
    "sorted": sorted,
    "set": set,
    "str": str,
    "int": int,
    "float": float,
    "lower": str.lower,
    "upper": str.upper,
    "matches": _matches,
}
"""What an expression may call; methods are not callable."""


def parse_expr(text: str) -> ast.expr:
    """Read an expression; `${...}` around a name is allowed and means the name itself.

    Raises:
        ExprError: It is not one expression, or uses what is not allowed.
    """
    plain = _WRAPPED.sub(r"(\1)", text).strip()
    if len(plain) > 4000:
        raise ExprError("expression is longer than 4000 characters")
    try:
        tree = ast.parse(plain, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as exc:
        raise ExprError(f"cannot read {text!r}: {getattr(exc, 'msg', exc)}") from None
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and not (isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS):
            raise ExprError(f"{text!r} calls {ast.unparse(node.func)!r}; allowed: {', '.join(FUNCTIONS)}")
        if isinstance(node, ast.Lambda | ast.Await | ast.NamedExpr | ast.Starred):
            raise ExprError(f"{text!r}: {type(node).__name__} is not allowed in an expression")
    return tree.body


def names_in(text: str) -> set[str]:
    """Return the free names an expression reads.

    Raises:
        ExprError: As `parse_expr`.
    """
    tree = parse_expr(text)
    bound = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)} - bound - set(FUNCTIONS)


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
    parse_expr(text)
    plain = _WRAPPED.sub(r"(\1)", text).strip()
    evaluator = EvalWithCompoundTypes(
        operators=DEFAULT_OPERATORS,
        functions=dict(FUNCTIONS),
        names={**names, "true": True, "false": False, "null": None},
    )
    try:
        return evaluator.eval(plain)
    except InvalidExpression as exc:
        raise ExprError(f"{text!r}: {exc}") from None
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, ArithmeticError, re2.error) as exc:
        raise ExprError(f"{text!r}: {type(exc).__name__}: {exc}") from None
    except (RecursionError, MemoryError):
        raise ExprError(f"{text!r}: too large to evaluate") from None
