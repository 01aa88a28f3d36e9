"""A condition without the names in it: what it asks, and of what."""

import ast

from planloom.core.expr import parse_expr
from planloom.core.plan import NodeId
from planloom.core.refs import Ref, Step


def numbered(text: str) -> tuple[str, tuple[Ref, ...]]:
    """Return a condition with its references numbered in place of named, and these references."""
    reading = _Numbering()
    tree = reading.visit(parse_expr(text))
    return ast.dump(tree), tuple(reading.refs)


class _Numbering(ast.NodeTransformer):
    """Puts numbers in place of what an expression reads of nodes, elements and inputs."""

    def __init__(self) -> None:
        self.refs: list[Ref] = []

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        return self._read(node)

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        return self._read(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return (
            self._numbered(Ref("item" if node.id == "item" else "index", (), ""))
            if node.id in ("item", "index")
            else node
        )

    def _numbered(self, ref: Ref) -> ast.AST:
        self.refs.append(ref)
        return ast.Name(id=f"ref {len(self.refs)}")

    def _read(self, node: ast.Attribute | ast.Subscript) -> ast.AST:
        steps: list[Step] = []
        inner: ast.expr = node
        while True:
            match inner:
                case ast.Attribute(value=value, attr=name):
                    steps.insert(0, name)
                    inner = value
                case ast.Subscript(value=value, slice=ast.Constant(value=str() | int() as step)):
                    steps.insert(0, step)
                    inner = value
                case _:
                    break
        match inner, steps:
            case ast.Name(id="nodes"), [str(node_id), "output", *path]:
                return self._numbered(Ref("nodes", tuple(path), "", NodeId(node_id)))
            case ast.Name(id="inputs" | "item" as root), path:
                return self._numbered(Ref(root, tuple(path), ""))
            case _:
                return self.generic_visit(node)
