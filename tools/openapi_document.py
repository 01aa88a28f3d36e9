"""An OpenAPI document: read from a file, with references inside it followed and no others."""

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote

from planloom.configs.compose import compose, decode
from planloom.configs.document import Document, child
from planloom.configs.phrases import found, quoted
from planloom.core.errors import Problem
from planloom.core.json import Json, JsonObject, is_too_deep

MAX_BYTES = 5_000_000


class OpenApiError(Exception):
    """The document, or an operation in it, cannot be used; the message says where."""


class UnsupportedError(OpenApiError):
    """An operation is described in order, but needs what no tool can give it."""


@dataclass(frozen=True, slots=True)
class Part:
    """A mapping in the document, and its dotted field."""

    data: JsonObject = field(repr=False)
    at: str

    def text(self, key: str) -> str:
        """Return a text, empty where there is none."""
        value = self.data.get(key)
        return value if isinstance(value, str) else ""


@dataclass(frozen=True)
class OpenApiDocument:
    """What stands in one file."""

    name: str
    """Of the file, as the workflow names it."""
    text: str = field(repr=False)
    data: JsonObject = field(repr=False)

    @cached_property
    def _positions(self) -> Document:
        # JSON may be indented with tabs, YAML may not; in JSON no text holds a bare one.
        return compose(self.text.replace("\t", " "), self.name, max_bytes=MAX_BYTES)

    @property
    def version(self) -> str:
        """Such as `3.1.0`."""
        return str(self.data.get("openapi", ""))

    def fault(self, at: str, message: str, *, unsupported: bool = False) -> OpenApiError:
        """Return the error that names file, line, column and field."""
        problem = self._positions.problem(at, message)
        where = f"{self.name}:{problem.line}:{problem.column}" if problem.line else self.name
        return (UnsupportedError if unsupported else OpenApiError)(f"{where}: {at + ': ' if at else ''}{message}")

    def part(self, value: Json, at: str) -> Part:
        """Return a mapping, or the one that its `$ref` leads to.

        Raises:
            OpenApiError: It is no mapping, or the reference leads out of the document, to nothing or in a circle.
        """
        seen: set[str] = set()
        while True:
            if not isinstance(value, dict):
                raise self.fault(at, f"expected a mapping, found {found(value)}")
            ref = value.get("$ref")
            if not isinstance(ref, str):
                return Part(value, at)
            if ref in seen:
                raise self.fault(at, f"expected a reference that ends, found {quoted(ref)} in a circle")
            seen.add(ref)
            value, at = self.follow(ref, child(at, "$ref"))

    def parts(self, value: Json, at: str) -> list[tuple[str, Part]]:
        """Return the entries of a mapping or a list, each followed to its end; none where there is nothing."""
        pairs: list[tuple[str | int, Json]] = []
        if isinstance(value, dict):
            pairs = [(key, item) for key, item in value.items() if not key.startswith("x-")]
        elif isinstance(value, list):
            pairs = [*enumerate(value)]
        elif value is not None:
            raise self.fault(at, f"expected a mapping or a list, found {found(value)}")
        return [(str(key), self.part(item, child(at, key))) for key, item in pairs]

    def follow(self, ref: str, at: str) -> tuple[Json, str]:
        """Return what a reference names, and its field.

        Raises:
            OpenApiError: It leads out of this document, or to nothing in it.
        """
        if ref != "#" and not ref.startswith("#/"):
            message = f"expected a place in this document (#/...), found {quoted(ref)}; files and URLs are not read"
            raise self.fault(at, message)
        place: tuple[Json, str] = (self.data, "")
        for step in unquote(ref[2:]).split("/") if len(ref) > 2 else ():
            entry = _entry(*place, step.replace("~1", "/").replace("~0", "~"))
            if entry is None:
                raise self.fault(at, f"expected a place in this document, found {quoted(ref)}, where nothing is")
            place = entry
        return place


def _entry(value: Json, at: str, step: str) -> tuple[Json, str] | None:
    if isinstance(value, dict) and step in value:
        return value[step], child(at, step)
    if isinstance(value, list) and step.isdecimal() and int(step) < len(value):
        return value[int(step)], child(at, int(step))
    return None


def read_openapi(name: str, base_dir: Path) -> OpenApiDocument:
    """Read a document of OpenAPI 3.0 or 3.1, JSON or YAML.

    Args:
        name: Path, relative to `base_dir`.
        base_dir: Folder of the workflow.

    Raises:
        OpenApiError: There is no such file, or it is no such document.
    """
    text = _read(name, base_dir / name)
    data = _parsed(name, text)
    if not isinstance(data, dict):
        raise OpenApiError(f"{name}: expected an OpenAPI document, found {found(data)}")
    if is_too_deep(data):
        raise OpenApiError(f"{name}: expected a document nested less deeply")
    document = OpenApiDocument(name=name, text=text, data=data)
    if not document.version.startswith(("3.0.", "3.1.")):
        shown = quoted(document.version) if document.version else "none"
        raise document.fault("openapi", f"expected version 3.0 or 3.1, found {shown}")
    return document


def _read(name: str, file: Path) -> str:
    try:
        if not file.is_file():
            raise OpenApiError(f"{name}: expected a file, found none of that name")
        with file.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as exc:
        raise OpenApiError(f"{name}: expected a readable file, found: {exc}") from exc
    if len(raw) > MAX_BYTES:
        raise OpenApiError(f"{name}: expected at most {MAX_BYTES} bytes, found more")
    text = decode(raw)
    if isinstance(text, Problem):
        raise OpenApiError(f"{name}:{text.line}:{text.column}: {text.message}")
    return text


def _parsed(name: str, text: str) -> Json:
    if text.lstrip().startswith("{"):
        try:
            data: Json = json.loads(text)
        except (ValueError, RecursionError) as exc:
            raise OpenApiError(f"{name}: not readable as JSON: {exc}") from exc
        return data
    document = compose(text, name, max_bytes=MAX_BYTES)
    if document.problems:
        first = document.problems[0]
        raise OpenApiError(f"{name}:{first.line}:{first.column}: {first.message}")
    return document.data
