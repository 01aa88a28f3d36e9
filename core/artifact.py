"""A large value's handle: what models see in place of the value itself."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from planloom.core.json import Json, JsonObject

Kind: TypeAlias = Literal["text", "json"]
_PREFIX = "sha256:"
_MAX_KEYS, _KEY_CHARS = 12, 60


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
    outline: str
    """What there is to be read, by `outlined`."""

    def as_json(self) -> JsonObject:
        """Shape shown to models."""
        shown: JsonObject = {"artifact": _PREFIX + self.digest, "bytes": self.size_bytes, "kind": self.kind}
        return {**shown, "head": self.head, "outline": self.outline}


def outlined(value: Json, depth: int = 3) -> str:
    """Say how a value is built, so that its parts can be asked for: lines of a text, keys and lengths of JSON.

    It says nothing that the value does not: whoever may read the value may read it.

    Args:
        value: A value.
        depth: Levels of JSON that are opened; of a list, its first item stands for all.
    """
    match value:
        case str():
            lines = value.count("\n") + 1
            return f"text, {lines:,} lines" if lines > 1 else "text"
        case list():
            first = f", the first: {outlined(value[0], depth - 1)}" if value and depth > 1 else ""
            return f"list of {len(value):,}{first}"
        case dict():
            told = [
                f"{key[:_KEY_CHARS]}: {outlined(item, depth - 1)}" if depth > 1 else key[:_KEY_CHARS]
                for key, item in list(value.items())[:_MAX_KEYS]
            ]
            more = f", and {len(value) - _MAX_KEYS:,} more" if len(value) > _MAX_KEYS else ""
            return f"{{{', '.join(told)}{more}}}"
        case bool():
            return "boolean"
        case None:
            return "null"
        case _:
            return "number"


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
