"""Words for error messages: what was found, what was expected, what was probably meant."""

import json
import types
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from itertools import islice
from typing import Annotated, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, MaxLen, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from planloom.configs.units import Words

_SHOWN = 60
_KEYS_SHOWN = 24
_COMPARED = 300
_PLAIN = {str: "text", bool: "true or false", int: "a whole number", float: "a number"}
_MANY = {dict: "a mapping", list: "a list", tuple: "a list"}


def quoted(text: str) -> str:
    """Write text in quotes on one printable line, cut to 60 characters."""
    short = text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
    return json.dumps(short, ensure_ascii=not short.isprintable())


def found(value: object) -> str:
    """Name a value and its kind: `"abc" (text)`, `3 (whole number)`, `a list of 2`."""
    match value:
        case None:
            return "nothing (null)"
        case bool():
            return f"{str(value).lower()} (true or false)"
        case str():
            return f"{quoted(value)} (text)"
        case int():
            return f"{value} (whole number)"
        case float():
            return f"{value:g} (number)"
        case list():
            return "a list" if value else "an empty list"
        case dict():
            return "a mapping" if value else "an empty mapping"
        case _:
            return f"a Python {type(value).__name__}"


def nearest(name: str, options: Iterable[str], *, sure: float = 0.6) -> str | None:
    """Return the option that `name` was probably meant to be; `sure` is how alike they must be, from 0 to 1."""
    names = list(islice(options, _COMPARED))
    if len(name) > _SHOWN:
        return None
    lowered = {option.lower(): option for option in reversed(names)}
    close = get_close_matches(name.lower(), lowered, n=1, cutoff=sure)
    return lowered[close[0]] if close else None


def instead(name: str, options: Iterable[str]) -> str:
    """Say what should stand in place of an unknown name: the near one, or the list."""
    names = list(options)
    if near := nearest(name, names):
        return f"did you mean {quoted(near)}?"
    return f"expected one of {listed(names)}" if names else "there is none to name"


def listed(names: Sequence[str]) -> str:
    """Join names with commas; a long list is cut."""
    more = ", ..." if len(names) > _KEYS_SHOWN else ""
    return ", ".join(names[:_KEYS_SHOWN]) + more


def split(annotation: object, metadata: Iterable[object] = ()) -> tuple[object, tuple[object, ...]]:
    """Take `Annotated` off a type; return the bare type and all that was said about it."""
    said = tuple(metadata)
    while get_origin(annotation) is Annotated:
        annotation, *more = get_args(annotation)
        said += tuple(more)
    return annotation, tuple(_flat(said))


def _flat(metadata: Iterable[object]) -> Iterator[object]:
    for item in metadata:
        if isinstance(item, FieldInfo):
            yield from item.metadata
        else:
            yield item


def members(annotation: object) -> tuple[object, ...]:
    """Return the members of a union without `None`; a type that is no union is its own only member."""
    if get_origin(annotation) in (Union, types.UnionType):
        return tuple(member for member in get_args(annotation) if member is not types.NoneType)
    return (annotation,)


def keys_of(model: type[BaseModel]) -> list[str]:
    """Return a model's keys as people write them."""
    return [written(name, info) for name, info in model.model_fields.items()]


def written(name: str, info: FieldInfo) -> str:
    """Return a field's key in YAML: `with` for `with_`."""
    return info.validation_alias if isinstance(info.validation_alias, str) else name


def choices(annotation: object) -> list[str]:
    """Return the texts of a `Literal`, empty for any other type."""
    bare, _ = split(annotation)
    return [str(choice) for member in members(bare) for choice in _literals(member)]


def _literals(annotation: object) -> tuple[object, ...]:
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def expected(annotation: object, metadata: Iterable[object] = ()) -> str:
    """Say in words what a type accepts: `a whole number from 1 to 100`."""
    bare, said = split(annotation, metadata)
    for item in said:
        if isinstance(item, Words):
            return item.text
    parts = members(bare)
    if parts == (bare,):
        return _bare(bare, said)
    return " or ".join(sorted((expected(part, said) for part in parts), key=len))


def hidden(metadata: Iterable[object]) -> bool:
    """Whether a value of this type may be a secret put in the wrong place."""
    return any(isinstance(item, Words) and item.hide for item in metadata)


def _bare(bare: object, said: tuple[object, ...]) -> str:
    if literals := _literals(bare):
        names = [str(choice) for choice in literals]
        return names[0] if len(names) == 1 else "one of " + ", ".join(names)
    if isinstance(bare, type) and issubclass(bare, BaseModel):
        return f"a mapping with {listed(keys_of(bare))}"
    origin: object = get_origin(bare)
    for kind, words in (_PLAIN | _MANY).items():
        if kind in (bare, origin):
            return words + _bounds(said)
    return "any value"


def _bounds(said: Iterable[object]) -> str:
    from_ = below = ""
    for item in said:
        match item:
            case Ge(ge=bound):
                from_ = f" from {bound}"
            case Gt(gt=bound):
                from_ = f" above {bound}"
            case Le(le=bound):
                below = f" to {bound}" if from_ else f" of at most {bound}"
            case MinLen():
                from_ = " that is not empty"
            case MaxLen(max_length=bound):
                below = f" of at most {bound} entries"
            case _:
                pass
    return from_ + below
