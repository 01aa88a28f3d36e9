"""The tables of docs/workflow.md, made from the models: `fill` keeps the page true."""

import re
from collections.abc import Iterator
from typing import get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from planloom.configs import memory, nodes, planner, spec
from planloom.configs.phrases import choices, expected, members, split, written
from planloom.configs.units import Words

_BLOCK = re.compile(r"(<!-- keys: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_HEAD = "| key | value | default | meaning |\n| --- | --- | --- | --- |\n"
_LISTS = (tuple, list)
_ALL = {**vars(spec), **vars(nodes), **vars(memory), **vars(planner)}


def fill(page: str) -> str:
    """Return the page with every table between `<!-- keys: Model -->` and `<!-- end -->` made anew.

    Raises:
        KeyError: There is no such model.
    """
    return _BLOCK.sub(lambda match: f"{match[1]}{table(_model(match[2]))}{match[3]}", page)


def models() -> list[str]:
    """Return the names of all models a workflow is made of."""
    return sorted(name for name in _ALL if name.endswith("Spec") and name != "Spec")


def _model(name: str) -> type[BaseModel]:
    found: object = _ALL[name]
    if isinstance(found, type) and issubclass(found, BaseModel):
        return found
    raise KeyError(name)


def table(model: type[BaseModel]) -> str:
    """Return the keys of a model as a Markdown table."""
    return _HEAD + "".join(_rows(model))


def _rows(model: type[BaseModel]) -> Iterator[str]:
    for name, info in model.model_fields.items():
        value = _cell(_value(info.annotation, tuple(info.metadata)))
        meaning = _cell(info.description or "")
        yield f"| `{written(name, info)}` | {value} | {_default(info)} | {meaning} |\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _default(info: FieldInfo) -> str:
    """Return how a default is written in YAML."""
    if info.is_required():
        return "required"
    value: object = info.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return "each key's own"
    if value is None or value in ("", (), {}):
        return "none"
    return (
        f"`{value:g}`"
        if isinstance(value, float)
        else f"`{str(value).lower() if value is True or value is False else value}`"
    )


def _value(annotation: object, metadata: tuple[object, ...] = ()) -> str:
    """Say in a few words what may stand there; named parts are links to their tables."""
    bare, said = split(annotation, metadata)
    parts = members(bare)
    if parts != (bare,):
        return " or ".join(sorted((_value(part, said) for part in parts), key=len))
    words = next((item.short for item in said if isinstance(item, Words)), None)
    if words is not None:
        return words
    if isinstance(bare, type) and issubclass(bare, BaseModel):
        name = bare.__name__.removesuffix("Spec").lower()
        return f"[{name}](#{name})"
    return _collection(annotation) or _scalar(annotation, said)


def _collection(annotation: object) -> str:
    bare, _ = split(annotation)
    arguments: tuple[object, ...] = get_args(bare)
    if get_origin(bare) in _LISTS:
        return f"list of {_value(arguments[0])}"
    return f"name to {_value(arguments[1])}" if get_origin(bare) is dict else ""


def _scalar(annotation: object, said: tuple[object, ...]) -> str:
    if words := choices(annotation):
        return ", ".join(f"`{word}`" for word in words)
    return expected(annotation, said).removeprefix("a ")
