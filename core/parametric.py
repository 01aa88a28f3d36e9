"""Literals of a plan that came from its run's inputs, turned into references to them.

A literal is turned only where it equals the value of one input: as a whole, or as whole words of a goal. Nothing that
merely resembles an input is touched, and what may have come from one but cannot be told is listed as left.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from keyword import iskeyword

from planloom.core.check import Check, CodeCheck, ExprCheck, FunctionCheck, JudgeCheck, RegexCheck, TextCheck
from planloom.core.expr import ExprError, parse_expr
from planloom.core.json import Json, canonical
from planloom.core.plan import Node, NodeId
from planloom.core.refs import as_text, pieces

_NAME = re.compile(r"[A-Za-z_]\w*")
_UNWRITABLE = re.compile(r'["{}\\]')
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'')
_TOKEN = re.compile(r"'([^'\n]{3,})'|\"([^\"\n]{3,})\"|(?<![\w.])(\d{2,}(?:\.\d+)?)(?![\w.])")
_BEFORE, _BEHIND = r"(?<![\w$])(?<!\d[.,])", r"(?!\w)(?![.,]\d)"
_SHORTEST_TEXT = 3
_SHORTEST_NUMBER = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A value of the run's inputs, and the path by which it is read: `inputs.city`, `inputs.order.id`."""

    path: str
    name: str
    """Last step of the path."""
    value: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Turned:
    """A literal that became a reference."""

    node_id: NodeId | None
    """`None` for the template of the run's output."""
    field: str
    was: Json
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A literal that may have come from the inputs and stays as it is."""

    node_id: NodeId | None
    field: str
    was: Json
    reason: str


def sources_of(inputs: Mapping[str, Json]) -> Iterator[Source]:
    """Yield every value that a reference can name: inputs, and what lies within objects among them."""
    for name, value in inputs.items():
        yield from _sources(f"inputs{_step(name)}", name, value)


def _sources(path: str, name: str, value: Json) -> Iterator[Source]:
    if value is None or isinstance(value, bool):
        return
    yield Source(path=path, name=name, value=value)
    if isinstance(value, dict):
        for key, item in value.items():
            if not _UNWRITABLE.search(key):
                yield from _sources(path + _step(key), key, item)


def _step(key: str) -> str:
    return f".{key}" if _NAME.fullmatch(key) and not iskeyword(key) else f'["{key}"]'


def is_distinctive(value: Json) -> bool:
    """Tell whether an equal literal elsewhere can hardly be a coincidence."""
    if isinstance(value, str):
        return len(value.strip()) >= _SHORTEST_TEXT
    if isinstance(value, bool) or value is None:
        return False
    return len(str(value)) >= _SHORTEST_NUMBER if isinstance(value, int | float) else bool(value)


def stands_in(value: Json, text: str) -> bool:
    """Tell whether a text, a number, or every member of a list stands in `text` as whole words."""
    if isinstance(value, list):
        return bool(value) and all(not isinstance(item, list) and stands_in(item, text) for item in value)
    return not isinstance(value, dict) and is_distinctive(value) and _has_words(as_text(value), text)


def _has_words(words: str, text: str) -> bool:
    return re.search(_BEFORE + re.escape(words) + _BEHIND, text) is not None


def literals(node: Node) -> Iterator[tuple[str, Json]]:
    """Yield the whole literals that a node is given, each with its name: texts, numbers, lists of these."""
    yield from _literals(f"{node.id}_items", node.map)
    for name, value in [*node.inputs.items(), *(item for grant in node.tools for item in grant.args.items())]:
        yield from _literals(name, value)


def _literals(name: str, value: Json) -> Iterator[tuple[str, Json]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _literals(key, item)
    elif value is not None and not isinstance(value, bool) and "${" not in as_text(value):
        yield name, value


@dataclass(slots=True)
class Parametric:
    """Turns the nodes of one plan.

    Args:
        sources: What literals are held against.
        texts: Inputs that are text; a word of theirs that stands in a longer literal is listed as left.
    """

    sources: Sequence[Source]
    texts: Sequence[str]
    turned: list[Turned] = field(default_factory=list[Turned])
    left: list[Left] = field(default_factory=list[Left])
    _node: NodeId | None = None
    _known: dict[str, list[Source]] = field(default_factory=dict[str, list[Source]])
    _words: re.Pattern[str] | None = None

    def __post_init__(self) -> None:
        words: set[str] = set()
        for source in self.sources:
            self._known.setdefault(canonical(source.value), []).append(source)
            if isinstance(source.value, str | int | float) and is_distinctive(source.value):
                words.add(as_text(source.value))
        if words:
            longest_first = "|".join(re.escape(word) for word in sorted(words, key=lambda word: (-len(word), word)))
            self._words = re.compile(f"{_BEFORE}(?:{longest_first}){_BEHIND}")

    def node(self, node: Node) -> Node:
        """Return a node with what came from the inputs as references."""
        self._node = node.id
        self._look_in(node.code or "", "code")
        self._look_in(canonical(dict(node.output or {})), "output")
        return replace(
            node,
            goal=self._text(node.goal, "goal"),
            inputs={name: self._value(value, f"with.{name}", name) for name, value in node.inputs.items()},
            map=self._value(node.map, "map", ""),
            when=self._expr(node.when, "when") if node.when is not None else None,
            tools=tuple(
                replace(grant, args={k: self._value(v, f"tools[{i}].args.{k}", k) for k, v in grant.args.items()})
                for i, grant in enumerate(node.tools)
            ),
            checks=tuple(self._check(check, f"checks[{i}]") for i, check in enumerate(node.checks)),
        )

    def output(self, template: Json) -> Json:
        """Return the template of a run's output with what came from the inputs as references."""
        self._node = None
        return self._template(template, "output")

    def _template(self, value: Json, place: str) -> Json:
        if isinstance(value, dict):
            return {key: self._template(item, f"{place}.{key}") for key, item in value.items()}
        if isinstance(value, list):
            return [self._template(item, f"{place}[{i}]") for i, item in enumerate(value)]
        return self._text(value, place) if isinstance(value, str) else value

    def _value(self, value: Json, place: str, name: str) -> Json:
        if isinstance(value, str) and "${" in value:
            return value
        if (source := self._source(value, place, name)) is not None:
            return self._turn(source, place)
        if isinstance(value, dict):
            return {key: self._value(item, f"{place}.{key}", key) for key, item in value.items()}
        if isinstance(value, list):
            return [self._value(item, f"{place}[{i}]", "") for i, item in enumerate(value)]
        if isinstance(value, str) and canonical(value) not in self._known:
            self._look_in(value, place)
        return value

    def _turn(self, source: Source, place: str) -> str:
        self.turned.append(Turned(node_id=self._node, field=place, was=source.value, path=source.path))
        return f"${{{source.path}}}"

    def _leave(self, value: Json, place: str, reason: str) -> None:
        found = Left(node_id=self._node, field=place, was=value, reason=reason)
        if found not in self.left:
            self.left.append(found)

    def _source(self, value: Json, place: str, name: str) -> Source | None:
        """Return the one input that a whole literal came from; one that cannot be told is left."""
        if value is None or isinstance(value, bool) or not (same := self._known.get(canonical(value))):
            return None
        named = [source for source in same if source.name == name]
        if len(named) == 1:
            return named[0]
        if not is_distinctive(value):
            self._leave(value, place, f"equals {same[0].path}, but is too short to be told from a coincidence")
        elif len(same) > 1:
            self._leave(value, place, f"equals several: {', '.join(source.path for source in same)}")
        else:
            return same[0]
        return None

    def _text(self, text: str, place: str) -> str:
        """Turn whole words of a text that references are filled into."""
        parts = pieces(text)
        for index in range(0, len(parts), 2):
            untold = parts[index]
            if self._words is not None:
                untold = self._words.sub(" ", untold)
                parts[index] = self._words.sub(lambda match: self._word(match[0], place), parts[index])
            self._look_in(untold, place, "part of a text")
        return "".join(parts)

    def _word(self, word: str, place: str) -> str:
        same = [source for source in self.sources if as_text(source.value) == word]
        if len(same) == 1:
            return self._turn(same[0], place)
        self._leave(word, place, f"equals several: {', '.join(source.path for source in same)}")
        return word

    def _check(self, check: Check, place: str) -> Check:
        match check:
            case ExprCheck():
                return replace(check, expr=self._expr(check.expr, f"{place}.expr"))
            case RegexCheck(pattern=text) | CodeCheck(code=text) | JudgeCheck(judge=text):
                self._look_in(text, place)
            case FunctionCheck(args=args):
                self._look_in(canonical(dict(args)), place)
            case TextCheck():
                pass  # a name out of a fixed list
        return check

    def _expr(self, text: str, place: str) -> str:
        """Turn quoted texts of an expression that equal an input; numbers may count anything, and are left."""
        if "matches(" in text:  # an input would be read as a pattern there
            self._look_in(text, place)
            return text
        before = len(self.turned)
        out = _QUOTED.sub(lambda match: self._quoted(match[0], place), text)
        try:
            parse_expr(out)
        except ExprError:
            del self.turned[before:]
            out = text
        self._look_in(out, place)
        return out

    def _quoted(self, text: str, place: str) -> str:
        value = str(ast.literal_eval(text))
        source = self._source(value, place, "") if is_distinctive(value) else None
        if source is None:
            return text
        self._turn(source, place)
        return source.path

    def _look_in(self, text: str, place: str, reason: str = "inside a longer text") -> None:
        """List what stands in a text and may have come from the inputs."""
        found = [match[0] for match in self._words.finditer(text)] if self._words is not None else []
        tokens = (next(group for group in match.groups() if group) for match in _TOKEN.finditer(text))
        found += [token for token in tokens if any(_has_words(token, given) for given in self.texts)]
        for value in dict.fromkeys(found):
            self._leave(value, place, reason)


def named(literals: Iterable[tuple[str, Json]], taken: Iterable[str]) -> dict[str, Json]:
    """Name literals as inputs: each value once, under names of their own."""
    names, seen = set(taken), set[str]()
    out: dict[str, Json] = {}
    for name, value in literals:
        if (key := canonical(value)) in seen:
            continue
        seen.add(key)
        base = re.sub(r"\W", "_", name)[:56] or "value"
        base = base if _NAME.match(base) else f"_{base}"
        free = next(n for n in (base, *(f"{base}_{i}" for i in range(2, 10_000))) if n not in names)
        names.add(free)
        out[free] = value
    return out
