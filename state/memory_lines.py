"""Memories as lines of JSON, one an entry: what leaves one database and is taken in by another."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, FiniteFloat, StringConstraints, ValidationError

from planloom.configs.part import Part
from planloom.core.errors import ConfigError, Problem
from planloom.core.json import Json, clean
from planloom.core.memory import Memory, MemoryKind, Origin

_MAX_LINE_CHARS = 1 << 20
_OF_THE_DATABASE = {"vector_model", "found_by"}
"""Fields that say something of where an entry lies, and not of what is known: vectors are made anew elsewhere."""

_Name = Annotated[str, StringConstraints(max_length=128)]


class _Origin(Part):
    run_id: _Name
    workflow: _Name
    node_id: _Name
    input_digest: _Name
    model: str = ""
    checks: tuple[str, ...] = ()


class _Line(Part):
    id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
    kind: MemoryKind
    subject: str
    text: str
    value: Annotated[Json, AfterValidator(clean)]
    origin: _Origin
    at: FiniteFloat
    untrusted: tuple[str, ...]
    expires_at: FiniteFloat | None
    recalls: Annotated[int, Field(ge=0, lt=1 << 31)]
    namespace: _Name

    def memory(self) -> Memory:
        """Return the entry."""
        told = {name: getattr(self, name) for name in type(self).model_fields if name != "origin"}
        return Memory(origin=Origin(**dict(self.origin)), **told)


def memory_lines(memories: Sequence[Memory]) -> list[str]:
    """Return entries as JSON, one a line, each with all that is known of where it comes from; no tenant, no vector."""
    told = [
        {name: value for name, value in asdict(memory).items() if name not in _OF_THE_DATABASE} for memory in memories
    ]
    return [json.dumps(entry, ensure_ascii=False) for entry in told]


def read_memories(path: Path) -> list[Memory]:
    """Read a file of such lines.

    Raises:
        ConfigError: It cannot be read, or a line is no entry; the first such line is named.
    """
    try:
        with path.open(encoding="utf-8") as file:
            return [*_entries(path, file)]
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(path, [Problem(f"cannot be read: {exc}")]) from exc


def _entries(path: Path, lines: Iterator[str]) -> Iterator[Memory]:
    for number, line in enumerate(lines, start=1):
        if len(line) > _MAX_LINE_CHARS:
            problem = Problem(f"expected at most {_MAX_LINE_CHARS:,} characters", line=number, column=1)
            raise ConfigError(path, [problem])
        if not line.strip():
            continue
        try:
            yield _Line.model_validate_json(line).memory()
        except ValidationError as exc:
            raise ConfigError(path, [_problem(number, exc)]) from exc


def _problem(number: int, exc: ValidationError) -> Problem:
    first = exc.errors(include_url=False, include_context=False)[0]
    return Problem(first["msg"], ".".join(map(str, first["loc"])), line=number, column=1)
