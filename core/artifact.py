"""A large value's handle: what models see in place of the value itself."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from planloom.core.json import Json, JsonObject

Kind: TypeAlias = Literal["text", "json"]
_PREFIX = "sha256:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A value that is stored once, by its content."""

    digest: str
    """SHA-256 of the stored bytes, in hexadecimal."""
    size_bytes: int
    kind: Kind
    """Text as it is, or any other value as JSON."""
    head: str
    """Its first characters."""

    def as_json(self) -> JsonObject:
        """Shape shown to models."""
        return {"artifact": _PREFIX + self.digest, "bytes": self.size_bytes, "kind": self.kind, "head": self.head}


def named(text: str) -> str:
    """Return the digest that a text such as `sha256:...` means."""
    return text.removeprefix(_PREFIX).lower()


def digests_in(value: Json) -> Iterator[str]:
    """Yield the digest of every handle in a value."""
    if isinstance(value, dict):
        if found := _digest_of(value):
            yield found
        for item in value.values():
            yield from digests_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from digests_in(item)


def filled(value: Json, contents: Mapping[str, Json]) -> Json:
    """Return a value with every handle in it replaced by its content, where that is given by digest."""
    if isinstance(value, dict):
        if (found := _digest_of(value)) in contents:
            return contents[found]
        return {key: filled(item, contents) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, contents) for item in value]
    return value


def _digest_of(value: JsonObject) -> str:
    name = value.get("artifact")
    return named(name) if isinstance(name, str) and name.startswith(_PREFIX) else ""
