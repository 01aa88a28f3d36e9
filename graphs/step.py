"""One node as a step of a worker that does several: its goal in words, its checks moved to where its result is."""

import ast
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from planloom.core.check import Check, CodeCheck, ExprCheck, FunctionCheck, JudgeCheck, RegexCheck, TextCheck
from planloom.core.expr import names_in, parse_expr
from planloom.core.json import Json
from planloom.core.plan import Node, NodeId
from planloom.core.refs import Ref, Step, find_refs, parse_ref, pieces, whole_ref

Keys = Mapping[NodeId, str]
"""Names of results in the object that the worker returns, by the node that had each."""


class NotAStep(Exception):
    """A node cannot be a step of a worker without losing something; the message says what."""


def apart(node: Node) -> str:
    """Say why a node stays a node of its own; empty when it may be a step."""
    lost = {
        f"it is a {node.kind} node": node.kind != "worker",
        "it has a map": node.map is not None,
        "it has a condition": node.when is not None,
        "it waits for approval": node.approve,
        "it writes": node.effect == "write",
        "its samples must agree": node.agree is not None,
        "it recalls or remembers": bool(node.recall or node.remember),
        "it has a cap or time of its own": node.max_cost_usd is not None or node.timeout_s is not None,
        "its schema refers to parts of itself": '"$ref"' in json.dumps(dict(node.output or {})),
        "a check looks at the whole answer": any(isinstance(c, TextCheck | FunctionCheck) for c in node.checks),
    }
    return next((reason for reason, holds in lost.items() if holds), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOf:
    """A node among those that become one."""

    node: Node
    key: str
    keys: Keys
    """Of the steps before it, and its own."""

    def goal(self, names: Mapping[str, str]) -> str:
        """Return what it asks for, with results of earlier steps by name.

        Args:
            names: What its inputs are called now.
        """
        told = "".join(
            (self._in_words(piece) if place % 2 else piece) for place, piece in enumerate(pieces(self.node.goal))
        )
        given = [f"`{name}` is {self._source(value, names[name])}" for name, value in self.node.inputs.items()]
        known = [text for text, name in zip(given, self.node.inputs, strict=True) if text != f"`{name}` is `{name}`"]
        return f"Step `{self.key}`: {told}" + (f" Here {', '.join(known)}." if known else "")

    def _source(self, value: Json, name: str) -> str:
        ref = self.earlier(value)
        return f"the result of step {_spoken(self.keys, ref)}" if ref else f"`{name}`"

    def _in_words(self, piece: str) -> str:
        ref = parse_ref(piece[2:-1]) if piece.startswith("${") else None
        earlier = ref is not None and ref.node_id in self.keys
        return f"the result of step {_spoken(self.keys, ref)}" if ref and earlier else piece

    def earlier(self, value: Json) -> Ref | None:
        """Return the result of an earlier step that a value of `with` is; `None` for what comes from elsewhere.

        Raises:
            NotAStep: It is put together from such a result and other text.
        """
        ref = whole_ref(value)
        if ref is not None and ref.node_id in self.keys:
            return ref
        if any(found.node_id in self.keys for _, found in find_refs(value)):
            raise NotAStep("a value under `with` is put together from an earlier result")
        return None

    def checks(self, names: Mapping[str, str]) -> Iterator[Check]:
        """Yield its checks, each on its own result and with the values that it had.

        Raises:
            NotAStep: One cannot be moved.
        """
        for check in self.node.checks:
            match check:
                case ExprCheck():
                    yield replace(check, expr=self._expr(check.expr, names))
                case RegexCheck():
                    yield replace(check, path=self._path(check.path))
                case CodeCheck():
                    load = self._path(check.load) if check.load else None
                    yield replace(check, code="".join(self._bindings(names)) + check.code, load=load)
                case JudgeCheck():
                    yield replace(check, judge=f"Only step `{self.key}` and its result count here. {check.judge}")
                case TextCheck() | FunctionCheck():
                    raise NotAStep("a check looks at the whole answer")

    def _path(self, path: str) -> str:
        return f"output.{self.key}{path.removeprefix('output')}"

    def _places(self, names: Mapping[str, str]) -> dict[str, str]:
        """Return where each name of its checks is found now, as an expression."""
        places = {"output": _indexed(self.key)}
        for name, value in self.node.inputs.items():
            ref = self.earlier(value)
            if ref is not None and ref.node_id is not None:
                places[name] = _indexed(self.keys[ref.node_id], *ref.path)
            elif names[name] != name:
                places[name] = names[name]
        return places

    def _expr(self, text: str, names: Mapping[str, str]) -> str:
        places, tree = self._places(names), parse_expr(text)
        bound = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)} - names_in(text)
        if bound & places.keys():
            raise NotAStep(f"{text!r} gives a name of its own to what it also reads")
        return ast.unparse(_Moved(places).visit(tree))

    def _bindings(self, names: Mapping[str, str]) -> Iterator[str]:
        places = self._places(names)
        for name in (*(name for name in places if name != "output"), "output"):
            yield f"{name} = {places[name]}\n"


class _Moved(ast.NodeTransformer):
    def __init__(self, places: Mapping[str, str]) -> None:
        self._places = places

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """Put what a name stands for in its place."""
        place = self._places.get(node.id)
        return node if place is None else ast.parse(place, mode="eval").body


def _indexed(*path: Step) -> str:
    return "output" + "".join(f"[{json.dumps(step)}]" for step in path)


def _spoken(keys: Keys, ref: Ref) -> str:
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in ref.path)
    return f"`{keys[ref.node_id or NodeId('')]}{path}`"
