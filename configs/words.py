"""pydantic's errors in the words of people who write YAML: the field as they wrote it, expected, found."""

import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from planloom.configs.document import child
from planloom.configs.phrases import (
    choices,
    expected,
    found,
    hidden,
    instead,
    keys_of,
    members,
    nearest,
    quoted,
    split,
    written,
)

_MISMATCH = ("string_type", "model_type", "dict_type", "list_type", "tuple_type")


@dataclass(slots=True)
class Place:
    """Where an error stands, walked from the model's root along the error's location."""

    kind: object
    metadata: tuple[object, ...] = ()
    field: str = ""
    path: tuple[str | int, ...] = ()
    owner: type[BaseModel] | None = None
    """The model whose key this is."""
    key_type: object = str
    at_key: bool = False
    union: str | None = None
    """Field of the innermost union on the way."""
    not_meant: bool = False
    """The value is of another kind than this member of the union."""


def explain(
    errors: Iterable[ErrorDetails], model: type[BaseModel], filled: Collection[str] = ()
) -> Iterator[tuple[Place, str]]:
    """Yield place and message of each error; values of `filled` fields come from the environment, unseen."""
    placed = [(place_of(error, model), error) for error in errors]
    meant = {place.union for place, _ in placed if not place.not_meant}
    seen: set[tuple[str, str]] = set()
    for place, error in placed:
        if place.not_meant and place.union in meant:
            continue
        message = _message(error, place, _shown(error, place, filled))
        if (place.field, message) not in seen:
            seen.add((place.field, message))
            yield place, message


def _shown(error: ErrorDetails, place: Place, filled: Collection[str]) -> str:
    if place.field in filled:
        return "a text from the environment"
    return "a text (not shown)" if hidden(place.metadata) else found(error["input"])


def place_of(error: ErrorDetails, model: type[BaseModel]) -> Place:
    """Walk an error's location through the model."""
    place = Place(kind=model)
    location = error["loc"]
    for at, step in enumerate(location):
        bare, _ = split(place.kind)
        union = members(bare)
        if len(union) > 1:
            place.union = place.field
            if at == len(location) - 1 and error["type"] in _MISMATCH:
                place.not_meant = True
                return place
            place.kind = _member(union, step)
        elif step == "[key]":
            place.kind, place.at_key = place.key_type, True
        else:
            place.kind = next(iter(union))
            _enter(place, step)
    return place


def _member(union: tuple[object, ...], tag: str | int) -> object:
    """Return the member of a union that a step of a location names."""
    for member in union:
        bare, _ = split(member)
        name = bare.__name__ if isinstance(bare, type) else str(bare)
        if str(tag).partition("[")[0] == name.partition("[")[0]:
            return member
    return object


def _enter(place: Place, step: str | int) -> None:
    """Go one step into a model, mapping or list."""
    kind, _ = split(place.kind)
    place.owner, place.metadata = None, ()
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        place.owner = kind
        info = next((i for n, i in kind.model_fields.items() if written(n, i) == step), None)
        place.kind = info.annotation if info else object
        place.metadata = tuple(info.metadata) if info else ()
    else:
        arguments: tuple[object, ...] = get_args(kind) or (object,)
        place.key_type = arguments[0]
        place.kind = arguments[-1 if isinstance(step, str) else 0]
    place.path, place.field = (*place.path, step), child(place.field, step)


def _message(error: ErrorDetails, place: Place, shown: str) -> str:
    code, wanted = error["type"], expected(place.kind, place.metadata)
    if code == "missing":
        return f"expected {wanted}, found nothing: the key is missing"
    if code == "extra_forbidden" and place.owner:
        place.at_key = True
        name = str(place.path[-1])
        return f"unknown key {quoted(name)}, {instead(name, keys_of(place.owner))}"
    if code == "value_error":
        said = str(error.get("ctx", {}).get("error", error["msg"]))
        return said if "found" in said else f"{said}, found {shown}"
    if place.at_key:
        return f"expected {wanted} as a key, found {shown}"
    if code == "too_long":
        shown = f"{error.get('ctx', {}).get('actual_length', 'more')}"
    given: object = error["input"]
    return f"expected {wanted}, found {shown}{_hint(given, place, wanted)}"


def _hint(given: object, place: Place, wanted: str) -> str:
    """Say what was probably meant, in the form in which it is to be written."""
    if isinstance(given, str):
        near = nearest(given, choices(place.kind))
        return f"; did you mean {quoted(near)}?" if near else ""
    if isinstance(given, bool | int | float) and wanted == "text":
        return f'; a text is written in quotes: "{json.dumps(given)}"'
    return ""
