"""YAML text to plain data with the line and column of every key and value."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

import yaml
from yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

from planloom.configs.document import MAX_PROBLEMS, Document, Position, child
from planloom.configs.phrases import found, quoted
from planloom.configs.scalars import is_core, read_plain, read_tagged, shown_tag
from planloom.core.errors import Problem
from planloom.core.json import Json

MAX_BYTES = 1_000_000
MAX_DEPTH = 64
MAX_ALIASED = 100_000
"""Values that aliases may add in all."""
MAX_PATHS = 20_000_000
"""Characters of all dotted fields together: many values far down under long keys."""

Loader = type[yaml.CSafeLoader] | type[yaml.SafeLoader]
FASTEST: Loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader

_UNREADABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class _Fatal(Exception):
    """Nothing behind this point can be read."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.message)


class _Built(NamedTuple):
    value: Json
    height: int
    """Levels of nesting in it."""


@dataclass(frozen=True, slots=True)
class _Anchor:
    built: _Built
    size: int
    """Values in it, itself included."""


def compose(text: str, source: str, *, loader: Loader = FASTEST, max_bytes: int = MAX_BYTES) -> Document:
    """Read YAML text. What is wrong with it stands in the document's `problems`; nothing is raised."""
    if problem := _unreadable(text, max_bytes):
        return Document(source=source, data=None, problems=(problem,))
    composer = _Composer(yaml.parse(text, Loader=loader))
    data: Json = None
    try:
        data = composer.document()
    except _Fatal as fatal:
        composer.problems.append(fatal.problem)
    except yaml.MarkedYAMLError as exc:
        composer.problems.append(_syntax(exc, text))
    except (yaml.YAMLError, ValueError, OverflowError) as exc:  # the pure loader lets chr() errors through
        composer.problems.append(Problem(f"not readable as YAML: {exc}"))
    return Document(
        source=source,
        data=data,
        positions=composer.positions,
        keys=composer.keys,
        problems=tuple(composer.problems),
    )


def decode(raw: bytes) -> str | Problem:
    """Decode UTF-8, with or without a byte order mark; the problem names the first byte that is not."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        before = raw[: exc.start].decode("utf-8", errors="replace")
        line, column = _position(before, len(before))
        return Problem(f"expected UTF-8, found the byte 0x{raw[exc.start]:02x}", line=line, column=column)


def _unreadable(text: str, max_bytes: int) -> Problem | None:
    size = len(text) if text.isascii() else len(text.encode(errors="replace"))
    if size > max_bytes:
        return Problem(f"expected at most {max_bytes} bytes, found {size}", line=1, column=1)
    if match := _UNREADABLE.search(text):
        line, column = _position(text, match.start())
        return Problem(f"expected text, found the character U+{ord(match[0]):04X}", line=line, column=column)
    return None


def _position(text: str, at: int) -> Position:
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


def _at(event: Event) -> Position:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (0, 0)


class _Composer:
    """Builds data from parser events, and goes on after what it can."""

    def __init__(self, events: Iterator[Event]) -> None:
        self.events = events
        self.positions: dict[str, Position] = {}
        self.keys: dict[str, Position] = {}
        self.problems: list[Problem] = []
        self.anchors: dict[str, _Anchor | None] = {}
        self.size = 0
        self.aliased = 0
        self.paths = 0

    def document(self) -> Json:
        """Read the one document of the stream."""
        next(self.events)
        if isinstance(next(self.events), StreamEndEvent):
            self.problems.append(Problem("expected a mapping, found an empty file", line=1, column=1))
            return None
        built = self._node(next(self.events), "", 1)
        next(self.events)
        more = next(self.events)
        if not isinstance(more, StreamEndEvent):
            self._add("", _at(more), "expected one document, found a second one")
        return built.value

    def _add(self, field: str, at: Position, message: str) -> None:
        if len(self.problems) == MAX_PROBLEMS:
            raise _Fatal(Problem(f"expected at most {MAX_PROBLEMS} faults, found more", field, *at))
        self.problems.append(Problem(message, field, *at))

    def _node(self, event: Event, path: str, depth: int) -> _Built:
        if depth > MAX_DEPTH:
            raise _too_deep(event, path)
        self.paths += len(path)
        if self.paths > MAX_PATHS:
            raise _Fatal(Problem("expected fewer values so far down under long keys", path, *_at(event)))
        self.positions.setdefault(path, _at(event))
        if isinstance(event, AliasEvent):
            return self._alias(event, path, depth)
        start, self.size = self.size, self.size + 1
        name = event.anchor if isinstance(event, NodeEvent) else None
        if name:
            self.anchors[name] = None
        built = self._content(event, path, depth)
        if name:
            self.anchors[name] = _Anchor(built, self.size - start)
        return built

    def _content(self, event: Event, path: str, depth: int) -> _Built:
        if isinstance(event, ScalarEvent):
            return _Built(self._scalar(event, path), 1)
        if isinstance(event, CollectionStartEvent):
            kind = "map" if isinstance(event, MappingStartEvent) else "seq"
            if not is_core(event.tag, kind):
                self._add(path, _at(event), f"expected no tag, found {shown_tag(event.tag or '')}")
            return self._mapping(path, depth) if kind == "map" else self._sequence(path, depth)
        raise _Fatal(Problem("not readable as YAML", path, *_at(event)))

    def _alias(self, event: AliasEvent, path: str, depth: int) -> _Built:
        name = event.anchor or ""
        anchor = self.anchors.get(name)
        if anchor is None:
            what = "stands inside what it names" if name in self.anchors else "names no anchor before it"
            self._add(path, _at(event), f"the alias *{name} {what}")
            return _Built(None, 1)
        self.size += anchor.size
        self.aliased += anchor.size
        if self.aliased > MAX_ALIASED:
            message = f"expected aliases to add at most {MAX_ALIASED} values, found more"
            raise _Fatal(Problem(message, path, *_at(event)))
        if depth + anchor.built.height - 1 > MAX_DEPTH:
            raise _too_deep(event, path)
        return anchor.built

    def _scalar(self, event: ScalarEvent, path: str) -> Json:
        try:
            if event.tag is not None:
                return read_tagged(event.tag, event.value)
            return read_plain(event.value) if event.implicit[0] else event.value
        except ValueError as exc:
            self._add(path, _at(event), str(exc))
            return event.value

    def _sequence(self, path: str, depth: int) -> _Built:
        items: list[Json] = []
        height = 0
        while not isinstance(event := next(self.events), SequenceEndEvent):
            built = self._node(event, child(path, len(items)), depth + 1)
            items.append(built.value)
            height = max(height, built.height)
        return _Built(items, height + 1)

    def _mapping(self, path: str, depth: int) -> _Built:
        entries: dict[str, Json] = {}
        height = 0
        while not isinstance(event := next(self.events), MappingEndEvent):
            key = self._key(event, path, depth)
            value = next(self.events)
            if key is None or key in entries:
                self._twice(path, key, _at(event))
                self._node(value, f"{path}?", depth + 1)
                continue
            field = child(path, key)
            self.keys[field] = _at(event)
            if _is_block(value):
                self.positions[field] = _at(event)
            built = self._node(value, field, depth + 1)
            entries[key] = built.value
            height = max(height, built.height)
        return _Built(entries, height + 1)

    def _twice(self, path: str, key: str | None, at: Position) -> None:
        if key is not None:
            field = child(path, key)
            first = self.keys[field][0]
            self._add(field, at, f"expected each key once, found {quoted(key)} again (first on line {first})")

    def _key(self, event: Event, path: str, depth: int) -> str | None:
        """Return a mapping's key; `None` when it is no text, which is a problem."""
        if isinstance(event, ScalarEvent) and event.tag is None and event.implicit[0] and event.value == "<<":
            self._add(path, _at(event), "expected a key, found the merge key <<; write the keys out")
            return None
        at = len(self.problems)
        value = self._node(event, f"{path}?", depth + 1).value
        if len(self.problems) > at:
            return None
        if isinstance(value, str):
            return value
        hint = "" if isinstance(value, dict | list) else "; put it in quotes"
        self._add(path, _at(event), f"expected text as a key, found {found(value)}{hint}")
        return None


def _too_deep(event: Event, path: str) -> _Fatal:
    message = f"expected at most {MAX_DEPTH} levels of nesting, found more"
    return _Fatal(Problem(message, path, *_at(event)))


def _is_block(event: Event) -> bool:
    """Whether a value starts on a line of its own, or is empty: then its key says better where it is."""
    if isinstance(event, CollectionStartEvent):
        return not event.flow_style
    return isinstance(event, ScalarEvent) and not event.value and event.implicit[0]


def _syntax(exc: yaml.MarkedYAMLError, text: str) -> Problem:
    """Turn the parser's complaint into a problem, in plainer words where there are some."""
    mark = exc.problem_mark
    if mark is None:
        return Problem(f"not readable as YAML: {exc.problem or exc}")
    line, column = mark.line + 1, mark.column + 1
    problem, context = exc.problem or "", exc.context or ""
    at = ""
    with suppress(IndexError):
        at = text.splitlines()[mark.line][mark.column]
    if "cannot start any token" in problem:
        what = "a tab; indent with spaces" if at == "\t" else f"{at}; put the text in quotes"
        return Problem(f"expected a key or a value, found {what}", line=line, column=column)
    if "mapping values are not allowed" in problem:
        message = "expected one key on the line, found a second ':'; put text that holds ': ' in quotes"
        return Problem(message, line=line, column=column)
    opened = exc.context_mark
    if "unexpected end of stream" in problem and opened:
        return Problem("expected a closing quote, found the end", line=opened.line + 1, column=opened.column + 1)
    since = f" {context} from line {opened.line + 1}" if opened and context else ""
    return Problem(f"not readable as YAML: {problem}{since}", line=line, column=column)
