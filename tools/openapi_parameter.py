"""One parameter of an OpenAPI operation, and how its value travels."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias
from urllib.parse import quote

from planloom.core.json import Json
from planloom.tools.allow import climbs
from planloom.tools.openapi_document import OpenApiDocument, Part

Place: TypeAlias = Literal["path", "query", "header"]

_STYLES: Mapping[Place, tuple[str, ...]] = {
    "path": ("simple",),
    "header": ("simple",),
    "query": ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
}
_PLACES: Mapping[str, Place] = {"path": "path", "query": "query", "header": "header"}
_SEPARATORS = {"form": ",", "spaceDelimited": " ", "pipeDelimited": "|", "simple": ","}
_LEAVES = re.compile(r"[/\\]|%2f|%5c|%2e", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# What a request is, where it goes, who sends it: never a model's to say.
_RESERVED = re.compile(
    r"accept(-encoding)?|authorization|connection|content-(length|type|encoding)|cookie2?|expect|forwarded|host|"
    r"idempotency-key|keep-alive|origin|te|trailer|transfer-encoding|upgrade|via|(proxy|sec|x-forwarded|x-real)-.*|"
    r"x-(http-)?method(-override)?|x-http-.*|x-original-.*|x-rewrite-.*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter that a caller fills."""

    name: str
    """As the API has it."""
    place: Place
    required: bool
    style: str
    explode: bool
    as_json: bool
    """Its value travels as JSON text."""

    def segment(self, value: Json) -> str:
        """Return the value for its place in a path.

        Raises:
            ValueError: It could leave its segment of the path.
        """
        text = self._joined(value)
        if not text or climbs(text) or _LEAVES.search(text) or _CONTROL.search(text):
            raise ValueError(f"{self.name}: {text!r} cannot stand in one segment of a path: it is empty or leads out")
        return quote(text, safe="")

    def header(self, value: Json) -> str:
        """Return the value for a header.

        Raises:
            ValueError: A header cannot hold it.
        """
        text = self._joined(value)
        if not text.isascii() or _CONTROL.search(text):
            raise ValueError(f"{self.name}: a header takes printable ASCII only")
        return text.strip()

    def pairs(self, value: Json) -> Iterator[tuple[str, str]]:
        """Yield what the value adds to a query."""
        if isinstance(value, dict) and not self.as_json:
            for key, item in value.items():
                yield (f"{self.name}[{key}]" if self.style == "deepObject" else key), _plain(item)
        elif isinstance(value, list) and self.explode and not self.as_json:
            yield from ((self.name, _plain(item)) for item in value)
        else:
            yield self.name, self._joined(value)

    def _joined(self, value: Json) -> str:
        if self.as_json:
            return json.dumps(value, ensure_ascii=False)
        if isinstance(value, list):
            return _SEPARATORS.get(self.style, ",").join(map(_plain, value))
        return _plain(value)


def is_reserved(name: str) -> bool:
    """Whether a header is not for callers to set."""
    return _RESERVED.fullmatch(name) is not None


def read_parameter(document: OpenApiDocument, part: Part) -> Parameter | None:
    """Read a parameter; `None` for one that is not for callers.

    Raises:
        OpenApiError: It is not described as OpenAPI wants it.
        UnsupportedError: It travels in a way that is not known here.
    """
    name = part.text("name")
    if not name:
        raise document.fault(part.at, "expected a parameter with a name, found none")
    required = part.data.get("required") is True
    if part.text("in") == "cookie":
        if required:
            raise document.fault(part.at, f"the required cookie {name!r} cannot be sent", unsupported=True)
        return None
    place = _PLACES.get(part.text("in"))
    if place is None:
        raise document.fault(part.at, f"expected in: path, query, header or cookie, found {part.text('in')!r}")
    if place == "header" and is_reserved(name):
        return None
    style = part.text("style") or _STYLES[place][0]
    if style not in _STYLES[place]:
        raise document.fault(part.at, f"style {style!r} of {name!r} is not supported", unsupported=True)
    explode = part.data.get("explode")
    return Parameter(
        name=name,
        place=place,
        required=required or place == "path",
        style=style,
        explode=explode if isinstance(explode, bool) else style == "form",
        as_json="content" in part.data,
    )


def _plain(value: Json) -> str:
    """Write one value as text.

    Raises:
        ValueError: It is no single value.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, list | dict):
        raise ValueError("expected a text, number or boolean inside a parameter, found more")
    return "" if value is None else json.dumps(value)
