"""JSON out of what models write."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeGuard

from planloom.core.json import Json, JsonObject, clean, is_too_deep

_FENCE = re.compile(r"```[a-zA-Z0-9_-]*[ \t]*\n(.*?)```", re.DOTALL)
_THINK = re.compile(r"^\s*<think>.*?</think>", re.DOTALL)
_OPENING = re.compile(r"[{\[]")
_MAX_MISSES = 500
"""Brackets that open no JSON value; each costs a scan, so their number is bounded."""
_DECODER = json.JSONDecoder(parse_constant=lambda name: _refuse(name))


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def extract_json(text: str) -> Json:
    """Return the JSON value in a model's reply.

    Takes bare JSON, JSON in a fenced block, and JSON after or before prose; of several, the last
    fenced block, else the longest object or array. Trailing commas are forgiven.

    Raises:
        ValueError: There is none.
    """
    body = _THINK.sub("", text, count=1).strip()
    for candidate in (body, *reversed(_FENCE.findall(body))):
        try:
            return _loads(candidate)
        except ValueError:
            continue
    found = max(_values(body), key=lambda pair: pair[0], default=None)
    if found is None:
        raise ValueError(f"expected JSON, found {body[:80]!r}" if body else "expected JSON, found nothing")
    return found[1]


def _loads(text: str) -> Json:
    try:
        value, end = _DECODER.raw_decode(text.strip())
    except RecursionError as exc:
        raise ValueError("the JSON is nested too deeply") from exc
    except ValueError:
        without = _drop_trailing_commas(text.strip())
        if without == text.strip():
            raise
        value, end = _DECODER.raw_decode(without)
        text = without
    if text.strip()[end:].strip():
        raise ValueError("text after the JSON value")
    result: Json = value
    return result


def _drop_trailing_commas(text: str) -> str:
    """Remove commas before a closing bracket, outside strings."""
    return re.sub(r'("(?:[^"\\]|\\.)*")|,(\s*[}\]])', lambda m: m[1] or m[2], text)


def _values(text: str) -> Iterator[tuple[int, Json]]:
    """Yield the outermost objects and arrays in prose, with their lengths; gives up after many false starts."""
    at, misses = 0, 0
    while misses < _MAX_MISSES and (found := _OPENING.search(text, at)) is not None:
        try:
            value, end = _DECODER.raw_decode(text, found.start())
        except RecursionError:
            return
        except ValueError:
            at, misses = found.start() + 1, misses + 1
            continue
        yield end - found.start(), value
        at = end


def json_objects(text: str) -> list[JsonObject]:
    """Return every outermost JSON object in a text, in order."""
    return [value for _, value in _values(text) if isinstance(value, dict)]


def loads_object(raw: str) -> JsonObject | None:
    """Parse a tool call's arguments; `None` unless they are one JSON object. Empty text is `{}`."""
    if not raw.strip():
        return {}
    try:
        value: Json = json.loads(raw, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or is_too_deep(value):
        return None
    whole = clean(value)
    return whole if isinstance(whole, dict) else None


def is_mapping(value: object) -> TypeGuard[Mapping[str, object]]:
    """Whether a value that came over a wire is a JSON object."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[Sequence[object]]:
    """Whether a value that came over a wire is a JSON array."""
    return isinstance(value, list)
