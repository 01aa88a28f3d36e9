"""Secrets of an HTTP tool: sent to one origin, and never shown."""

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from planloom.core.json import Json
from planloom.core.secrets import together

_SECRET_NAME = re.compile(r"auth|cookie|key|token|secret|passw|credential|session|signature|jwt", re.IGNORECASE)
_VALUE = re.compile(r"[\x20-\x7e\t]*")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FRAMING = frozenset(
    ("host", "content-length", "transfer-encoding", "connection", "te", "trailer", "upgrade", "accept-encoding")
)


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
        return together(frozenset(self._secrets())).hide(value)

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
