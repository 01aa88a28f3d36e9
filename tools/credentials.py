"""Secrets of an HTTP tool: sent to one origin, and never shown."""

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus

from planloom.core.json import Json

_SECRET_NAME = re.compile(r"auth|cookie|key|token|secret|passw|credential|session|signature|jwt", re.IGNORECASE)
_VALUE = re.compile(r"[\x20-\x7e\t]*")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FRAMING = frozenset(
    ("host", "content-length", "transfer-encoding", "connection", "te", "trailer", "upgrade", "accept-encoding")
)
_MIN_CHARS = 6
"""Shorter values would be found in text that has nothing to do with them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What goes with a request besides what the caller says."""

    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    query: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)

    def __or__(self, other: "Credentials") -> "Credentials":
        return Credentials(headers={**self.headers, **other.headers}, query={**self.query, **other.query})

    @property
    def owner(self) -> tuple[tuple[str, str], ...]:
        """Tells one set of secrets from another."""
        return (*sorted(self.headers.items()), *sorted(self.query.items()))

    def hide(self, value: Json) -> Json:
        """Return `value` with every secret in its texts and keys as `***`."""
        needles = sorted({form for secret in self._secrets() for form in _forms(secret)}, key=len, reverse=True)
        if not needles:
            return value
        found = re.compile("|".join(map(re.escape, needles)))
        return _replaced(value, found)

    def hide_text(self, text: str) -> str:
        """Return a text with every secret as `***`."""
        return str(self.hide(text))

    def _secrets(self) -> Iterator[str]:
        yield from self.query.values()
        for name, value in self.headers.items():
            if _SECRET_NAME.search(name):
                yield value
                scheme, _, rest = value.partition(" ")
                yield rest
                if scheme.lower() == "basic":
                    yield from _basic(rest)
                if name.lower() == "cookie":
                    yield from (part.partition("=")[2] for part in value.split(";"))


def header_faults(headers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield name and message for headers that cannot be sent; the values are not told."""
    for name, value in headers.items():
        if not _NAME.fullmatch(name):
            yield name, f"expected the name of a header, found {name!r}"
        elif name.lower() in _FRAMING:
            yield name, f"{name} is set by the tool itself"
        elif not _VALUE.fullmatch(value) or value != value.strip():
            yield name, "expected printable ASCII without spaces or line breaks at its ends, found something else"


def _basic(encoded: str) -> Iterator[str]:
    try:
        pair = base64.b64decode(encoded, validate=True).decode()
    except ValueError:
        return
    yield from (pair, pair.partition(":")[2])


def _forms(secret: str) -> Iterator[str]:
    if len(secret) >= _MIN_CHARS:
        yield from (secret, quote(secret, safe=""), quote(secret), quote_plus(secret))


def _replaced(value: Json, secrets: re.Pattern[str]) -> Json:
    if isinstance(value, str):
        return secrets.sub("***", value)
    if isinstance(value, list):
        return [_replaced(item, secrets) for item in value]
    if isinstance(value, dict):
        return {secrets.sub("***", key): _replaced(item, secrets) for key, item in value.items()}
    return value
