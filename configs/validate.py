"""Holds a document against a pydantic model, with the environment filled in."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from planloom.configs.document import MAX_PROBLEMS, Document
from planloom.configs.env import Interpolation, Taken
from planloom.configs.scalars import read_plain
from planloom.configs.words import Place, explain, place_of
from planloom.core.errors import Problem
from planloom.core.json import Json

ModelT = TypeVar("ModelT", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked(Generic[ModelT]):
    """A document held against its model: `spec` is `None` when it does not fit."""

    spec: ModelT | None
    data: Json
    """The document with the environment filled in."""
    filled: frozenset[str] = frozenset()
    """Fields that hold something from the environment; their values are never shown."""
    taken: tuple[Taken, ...] = ()
    """The variables that were filled in."""
    problems: tuple[Problem, ...]


def check(model: type[ModelT], document: Document, env: Mapping[str, str] | None) -> Checked[ModelT]:
    """Fill the environment in, validate strictly, and collect every problem.

    With `env` as `None` nothing is filled in: every `${...}` and `$${` stays as it is written.
    """
    filling = Interpolation(env)
    data = filling.fill(document.data)
    problems = [*document.problems, *(document.problem(*problem) for problem in filling.problems[:MAX_PROBLEMS])]
    problems += [document.problem(*problem, at_key=True) for problem in filling.bad_keys[:MAX_PROBLEMS]]
    if document.problems and document.data is None:
        return Checked(spec=None, data=None, problems=tuple(problems))
    spec, errors = _validate(model, data)
    if errors and filling.whole:
        _read_numbers(data, (place_of(error, model) for error in errors), filling.whole)
        spec, errors = _validate(model, data)
    broken = {problem.field for problem in problems}
    for place, message in explain(errors[:MAX_PROBLEMS], model, filling.filled):
        if place.field not in broken:
            problems.append(document.problem(place.field, message, at_key=place.at_key))
    return Checked(
        spec=spec,
        data=data,
        problems=tuple(problems),
        filled=frozenset(filling.filled),
        taken=tuple(filling.taken),
    )


def _validate(model: type[ModelT], data: Json) -> tuple[ModelT | None, list[ErrorDetails]]:
    try:
        text = json.dumps(data)
        return model.model_validate_json(text, strict=True, by_alias=True, by_name=False), []
    except ValidationError as exc:
        return None, exc.errors(include_url=False)


def _read_numbers(data: Json, places: Iterable[Place], whole: Mapping[str, str]) -> None:
    """Where a variable's text did not fit, read it as a number or a boolean in place."""
    for place in places:
        if place.field not in whole:
            continue
        try:
            value = read_plain(whole[place.field])
        except ValueError:
            continue
        _put(data, place.path, value)


def _put(data: Json, path: tuple[str | int, ...], value: Json) -> None:
    """Set what stands at `path` in `data`."""
    match data, path:
        case dict(), (str() as key,):
            data[key] = value
        case list(), (int() as index,):
            data[index] = value
        case dict(), (str() as key, *rest):
            _put(data[key], tuple(rest), value)
        case list(), (int() as index, *rest):
            _put(data[index], tuple(rest), value)
        case _:
            pass
