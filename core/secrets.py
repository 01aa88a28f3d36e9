"""Values that must not be written anywhere or shown to a model, and how they are found in what others say."""

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import lru_cache
from typing import TypeVar, cast
from urllib.parse import quote, quote_plus

from planloom.core.pattern import AnyOf

T = TypeVar("T")
MIN_CHARS = 6
"""Shorter values would be found in text that has nothing to do with them."""
_LINE_CHARS = 24
"""From here on one line of a secret of several lines, such as a private key, is a secret by itself."""
_ERRORS = 20
"""Exceptions that are looked at behind one another."""


class Secrets:
    """Secret values. What is found of them becomes `***`; the values themselves are never shown.

    A value is found as it is, and as it looks after escaping for JSON, Python, HTML or a URL, in hexadecimal and
    inside Base64. It is not found when it is cut to pieces, reversed, compressed or encrypted.
    """

    __slots__ = ("_any", "_found", "_values")

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values = frozenset(part for value in values for part in _parts(value.strip()))
        needles = sorted({form for value in self._values for form in _forms(value)}, key=len, reverse=True)
        self._found = re.compile("|".join(map(re.escape, needles))) if needles else None
        self._any = AnyOf({again for needle in needles for again in _written(needle)}) if needles else None

    def __or__(self, other: "Secrets") -> "Secrets":
        return together(self._values | other._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<{len(self._values)} secrets>"

    def found_in(self, written: bytes) -> bool:
        """Tell whether a secret may stand in a text, or in what JSON made of one."""
        return self._any is not None and self._any.found_in(written)

    def hide(self, value: T) -> T:
        """Return a value with every secret in its texts and keys as `***`; itself when there is none.

        Args:
            value: A text, a JSON value, or frozen dataclasses of such.
        """
        return cast(T, self._hidden(value)) if self._found is not None else value

    def hide_error(self, error: BaseException) -> None:
        """Take every secret out of an error's message, and out of those it came from: tracebacks print them all."""
        left, seen = [error], set[int]()
        while left and self._found is not None and len(seen) < _ERRORS:
            exc = left.pop()
            if id(exc) in seen:
                continue
            seen.add(id(exc))
            exc.args = self.hide(exc.args)
            for name, said in list(getattr(exc, "__dict__", {}).items()):
                if isinstance(said, str | list | tuple):
                    setattr(exc, name, self.hide(cast(object, said)))
            nested = cast("tuple[BaseException, ...]", getattr(exc, "exceptions", ()))
            left += [item for item in (exc.__cause__, exc.__context__, *nested) if item is not None]

    def _hidden(self, value: object) -> object:
        if type(value) is str:
            return self._text(value)
        if isinstance(value, Mapping):
            return self._mapping(cast("Mapping[object, object]", value))
        if isinstance(value, list | tuple):
            return self._sequence(cast("list[object] | tuple[object, ...]", value))
        if is_dataclass(value) and not isinstance(value, type):
            old = {field.name: getattr(value, field.name) for field in fields(value) if field.init}
            changed = {name: new for name, item in old.items() if (new := self._hidden(item)) is not item}
            return replace(value, **changed) if changed else value
        return value

    def _text(self, text: str) -> str:
        if self._found is None or not self.found_in(text.encode(errors="replace")):
            return text
        return self._found.sub("***", text)

    def _mapping(self, value: Mapping[object, object]) -> Mapping[object, object]:
        made = {self._hidden(key): self._hidden(item) for key, item in value.items()}
        same = len(made) == len(value) and all(key in value and value[key] is item for key, item in made.items())
        return value if same else made

    def _sequence(self, value: list[object] | tuple[object, ...]) -> object:
        made = [self._hidden(item) for item in value]
        if all(new is old for new, old in zip(made, value, strict=True)):
            return value
        return made if isinstance(value, list) else tuple(made)


@lru_cache(maxsize=64)
def together(values: frozenset[str]) -> Secrets:
    """Return the secrets of a set of values; the same ones for the same set."""
    return Secrets(values)


def _parts(value: str) -> Iterator[str]:
    if len(value) < MIN_CHARS:
        return
    yield value
    if "\n" in value:
        lines = (line.strip() for line in value.splitlines())
        yield from (line for line in lines if len(line) >= _LINE_CHARS and not line.startswith("-----"))


def _forms(secret: str) -> Iterator[str]:
    """Yield how a secret looks once somebody has passed it on."""
    raw = secret.encode(errors="replace")
    yield secret
    for encoded in (quote(raw, safe=""), quote(raw), quote_plus(raw)):
        yield from (encoded, re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), encoded))
    for escaped in (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]):
        yield from (escaped, escaped.replace("/", r"\/"), json.dumps(escaped, ensure_ascii=False)[1:-1])
    yield from (repr(secret)[1:-1], html.escape(secret), html.escape(secret, quote=False))
    yield from (raw.hex(), raw.hex().upper())
    for shift in range(3):
        plain = _in_base64(raw, shift)
        if len(plain) >= MIN_CHARS:
            yield from (plain, plain.replace("+", "-").replace("/", "_"), plain.replace("/", r"\/"))


def _in_base64(raw: bytes, shift: int) -> str:
    """Return what is the same in the Base64 of every text that has `raw` behind `shift` bytes more than a third."""
    encoded = base64.b64encode(b"\0" * shift + raw).decode().rstrip("=")
    whole = (shift + len(raw)) * 8 // 6  # digits that no byte behind has a part in
    return encoded[(shift * 8 + 5) // 6 : whole]


def _written(needle: str) -> Iterator[bytes]:
    """Yield a needle as it stands in text, and in JSON."""
    for text in {needle, json.dumps(needle)[1:-1], json.dumps(needle, ensure_ascii=False)[1:-1]}:
        yield text.encode(errors="replace")
