"""Data handed over from Python, made plain JSON or refused."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from planloom.configs.compose import MAX_ALIASED, MAX_DEPTH
from planloom.configs.document import MAX_PROBLEMS, Document, child
from planloom.configs.phrases import found
from planloom.configs.scalars import MAX_INT
from planloom.core.errors import Problem
from planloom.core.json import Json

_MAX_VALUES = 5 * MAX_ALIASED
_MAX_CHARS = 20_000_000


def plain(data: object, source: str, *, root: str = "") -> Document:
    """Copy `data` as JSON values: tuples become lists; what JSON cannot say is a problem of the document.

    Args:
        data: Anything.
        source: What errors call it.
        root: Field the data stands at.
    """
    copier = _Copier()
    value = copier.copy(data, root, 1)
    return Document(source=source, data=value, problems=tuple(copier.problems))


@dataclass(slots=True)
class _Copier:
    problems: list[Problem] = field(default_factory=list[Problem])
    size: int = 0
    chars: int = 0

    def copy(self, value: object, path: str, depth: int) -> Json:
        self.size += 1
        if self.size > _MAX_VALUES or depth > MAX_DEPTH:
            self._too_much(path)
            return None
        if isinstance(value, Mapping):
            items = self._items(cast(Mapping[object, object], value), path)
            return {key: self.copy(item, child(path, key), depth + 1) for key, item in items}
        if isinstance(value, list | tuple):
            entries = enumerate(cast(Sequence[object], value))
            return [self.copy(item, child(path, index), depth + 1) for index, item in entries]
        return self._scalar(value, path)

    def _items(self, mapping: Mapping[object, object], path: str) -> Iterator[tuple[str, object]]:
        for key, item in mapping.items():
            if isinstance(key, str):
                yield str(self._text(key, path)), item
            else:
                self._refuse(path, "text as a key", found(key))

    def _scalar(self, value: object, path: str) -> Json:
        match value:
            case None | bool():
                return value
            case str():
                return self._text(value, path)
            case int() if -MAX_INT - 1 <= value <= MAX_INT:
                return int(value)
            case float() if math.isfinite(value):
                return float(value)
            case int() | float():
                self._refuse(path, "a finite number of at most 64 bits", "one that is not")
            case _:
                self._refuse(path, "text, a number, true, false, null, a list or a mapping", found(value))
        return None

    def _text(self, value: str, path: str) -> Json:
        self.chars += len(value)
        if self.chars > _MAX_CHARS:
            if self.chars - len(value) <= _MAX_CHARS:
                self._refuse(path, f"at most {_MAX_CHARS} characters in all", "more")
            return None
        return str(value)

    def _too_much(self, path: str) -> None:
        if self.size <= _MAX_VALUES:
            self._refuse(path, f"at most {MAX_DEPTH} levels of nesting", "more")
        elif self.size == _MAX_VALUES + 1:
            self._refuse(path, f"at most {_MAX_VALUES} values", "more")

    def _refuse(self, path: str, wanted: str, what: str) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(f"expected {wanted}, found {what}", path))
