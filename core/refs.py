"""`${...}` references: how they are written, found and filled in.

Grammar: `${inputs.NAME PATH}`, `${nodes.ID.output PATH}`, `${item PATH}`, `${index}`, where PATH is any
number of `.name`, `[0]` or `["key"]`. A string that is one reference and nothing else becomes the value
itself; inside longer text the value is written in as text. `$${` stands for a literal `${`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

from planloom.core.json import Json
from planloom.core.plan import NodeId

Root: TypeAlias = Literal["inputs", "nodes", "item", "index"]
Step: TypeAlias = str | int

_OPEN = re.compile(r"\$\$\{|\$\{([^{}]*)\}|\$\{")
_STEP = re.compile(r"""\.([A-Za-z_][\w-]*)|\[([0-9]{1,9})\]|\["([^"]*)"\]|\['([^']*)'\]""")
_HEAD = re.compile(r"(inputs|nodes|item|index)\b")
_FOREIGN = re.compile(r"\{\{-?\s*(?:inputs|nodes)\.[^{}]*\}\}|(?<![\w$])\$(?:inputs|nodes)\.[A-Za-z_][\w.]*")
MAX_FILLED = 50_000_000
"""Characters that the references of one template may bring in, together."""


class RefError(ValueError):
    """A reference is malformed, or names what is not there."""


@dataclass(frozen=True, slots=True)
class Ref:
    """One reference: where it starts and the path from there.

    `nodes` references keep the node's id in `node_id`; the path starts after `.output`.
    """

    root: Root
    path: tuple[Step, ...]
    text: str
    node_id: NodeId | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """What references can see. `nodes` maps a node's id to its committed output."""

    inputs: Mapping[str, Json]
    nodes: Mapping[NodeId, Json]
    item: Json = None
    index: int | None = None


def parse_ref(text: str) -> Ref:
    """Read what stands between `${` and `}`.

    Raises:
        RefError: It does not follow the grammar.
    """
    body = text.strip()
    head = _HEAD.match(body)
    if head is None:
        raise RefError(
            f"expected ${{inputs...}}, ${{nodes.ID.output...}}, ${{item...}} or ${{index}}, found ${{{text}}}"
        )
    root = cast(Root, head[1])
    path = _steps(body, head.end(), text)
    if root == "nodes":
        if len(path) < 2 or not isinstance(path[0], str) or path[1] != "output":
            raise RefError(f"expected ${{nodes.ID.output}} with a path behind it, found ${{{text}}}")
        return Ref(root, path[2:], body, NodeId(path[0]))
    if root == "inputs" and (not path or not isinstance(path[0], str)):
        raise RefError(f"expected ${{inputs.NAME}}, found ${{{text}}}")
    if root == "index" and path:
        raise RefError(f"${{index}} is a number and has no path, found ${{{text}}}")
    return Ref(root, path, body)


def _steps(body: str, start: int, text: str) -> tuple[Step, ...]:
    steps: list[Step] = []
    while start < len(body):
        match = _STEP.match(body, start)
        if match is None:
            raise RefError(f'cannot read {body[start:]!r} in ${{{text}}}; expected .name, [0] or ["key"]')
        steps.append(int(match[2]) if match[2] is not None else match[1] or match[3] or match[4] or "")
        start = match.end()
    return tuple(steps)


def find_refs(template: object, field: str = "") -> Iterator[tuple[str, Ref]]:
    """Yield every reference in a template with the dotted field it stands in.

    Raises:
        RefError: One of them is malformed; the message starts with its field.
    """
    for place, text in _texts(template, field):
        yield from _refs_in(text, place)


def _texts(template: object, field: str) -> Iterator[tuple[str, str]]:
    if isinstance(template, str):
        yield field, template
    elif isinstance(template, Mapping):
        for key, value in cast(Mapping[str, object], template).items():
            yield from _texts(value, f"{field}.{key}" if field else key)
    elif isinstance(template, list | tuple):
        for index, value in enumerate(cast(list[object], template)):
            yield from _texts(value, f"{field}[{index}]")


def _refs_in(text: str, field: str) -> Iterator[tuple[str, Ref]]:
    place = f"{field}: " if field else ""
    for match in _OPEN.finditer(text):
        if match[0] == "$${":
            continue
        if match[1] is None:
            raise RefError(f"{place}${{ without a closing }}")
        try:
            yield field, parse_ref(match[1])
        except RefError as exc:
            raise RefError(f"{place}{exc}") from None


def foreign_refs(template: object, field: str = "") -> Iterator[tuple[str, str]]:
    """Yield what looks like a reference of another template language, `{{inputs.x}}` or `$inputs.x`, with its field."""
    for place, text in _texts(template, field):
        yield from ((place, match[0]) for match in _FOREIGN.finditer(text))


def whole_ref(template: Json) -> Ref | None:
    """Return the reference that a template consists of; `None` when it is anything else."""
    match = _OPEN.fullmatch(template) if isinstance(template, str) else None
    return parse_ref(match[1]) if match is not None and match[1] is not None else None


def pieces(text: str) -> list[str]:
    """Split a text into what stands between references, at even places, and references and `$${`, at odd ones."""
    return re.split(r"(\$\$\{|\$\{[^{}]*\})", text)


def resolve(template: Json, scope: Scope) -> Json:
    """Fill a template in: every reference is replaced by what it names.

    Raises:
        RefError: A reference names something that is not there, or all together are too large.
    """
    return _Filling(scope).fill(template)


class _Filling:
    """One template being filled in. A short one can name a large value many times, so the sum is bounded."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._left = MAX_FILLED
        self._sizes: dict[str, int] = {}

    def fill(self, template: Json) -> Json:
        if isinstance(template, str):
            return self._text(template)
        if isinstance(template, dict):
            return {key: self.fill(value) for key, value in template.items()}
        if isinstance(template, list):
            return [self.fill(value) for value in template]
        return template

    def _text(self, text: str) -> Json:
        if "${" not in text:
            return text
        whole = _OPEN.fullmatch(text)
        if whole and whole[1] is not None:
            return self._value(whole[1])
        return _OPEN.sub(self._written, text)

    def _written(self, match: re.Match[str]) -> str:
        if match[0] == "$${":
            return "${"
        if match[1] is None:
            raise RefError("${ without a closing }")
        return as_text(self._value(match[1]))

    def _value(self, body: str) -> Json:
        value = look_up(parse_ref(body), self._scope)
        if body not in self._sizes:
            self._sizes[body] = _size(value)
        self._left -= self._sizes[body]
        if self._left < 0:
            raise RefError(f"${{{body}}}: the values filled in are larger than {MAX_FILLED} characters together")
        return value


def _size(value: Json) -> int:
    """Return about how many characters a value takes as JSON."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(len(key) + 4 + _size(item) for key, item in value.items())
    return sum(1 + _size(item) for item in value) if isinstance(value, list) else 4


def as_text(value: Json) -> str:
    """Write a value into running text: strings as they are, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def look_up(ref: Ref, scope: Scope) -> Json:
    """Return the value a reference names.

    Raises:
        RefError: It is not there; the message names the step that failed.
    """
    match ref.root:
        case "inputs":
            return walk(dict(scope.inputs), ref.path, ref.text)
        case "nodes":
            if ref.node_id is None or ref.node_id not in scope.nodes:
                raise RefError(f"${{{ref.text}}}: node {ref.node_id!r} has no output")
            return walk(scope.nodes[ref.node_id], ref.path, ref.text)
        case "item":
            return walk(scope.item, ref.path, ref.text)
        case "index":
            return scope.index


def walk(value: Json, path: tuple[Step, ...], text: str) -> Json:
    """Follow a path into a value. A path into null gives null: a skipped node reads as null throughout.

    Raises:
        RefError: A step does not exist in what was reached.
    """
    for step in path:
        if value is None:
            return None
        if isinstance(value, dict) and str(step) in value:
            value = value[str(step)]
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            raise RefError(f"${{{text}}}: no {step!r} in {_shape(value)}")
    return value


def _shape(value: Json) -> str:
    if isinstance(value, dict):
        names = ", ".join(sorted(value)[:8])
        return f"an object with {names}" if names else "an empty object"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return f"{json.dumps(value, ensure_ascii=False)[:60]}"


def read_path(path: str) -> tuple[Step, ...]:
    """Read a path such as `output.rows[0]`, without its first name.

    Raises:
        RefError: It does not follow the grammar.
    """
    start = re.match(r"[A-Za-z_]\w*", path)
    return _steps(path, start.end() if start else 0, path)
