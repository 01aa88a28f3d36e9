"""`${env:NAME}` and `${env:NAME:-default}` in values; never in keys.

A variable that is set but empty counts as set without a default, and as not set with one. `$${` stands for
a literal `${`. Under `nodes` and `output`, where `${...}` references are filled in later, it is left for that
step to read, and what came from the environment cannot become a reference.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from planloom.configs.document import child
from planloom.core.json import Json

_FOUND = re.compile(r"\$\$\{|\$\{env:([^{}]*)\}|\$\{env:")
_BODY = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")
_TEMPLATES = ("nodes", "output")


class Taken(NamedTuple):
    """A variable that was filled in somewhere."""

    field: str
    name: str
    value: str


@dataclass(slots=True)
class Interpolation:
    """One pass over a document; afterwards it says what went wrong and what came from the environment."""

    env: Mapping[str, str] | None
    """`None` fills nothing in and reads no `$${`."""
    problems: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Field and message, where a value is at fault."""
    bad_keys: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Field and message, where a key is."""
    whole: dict[str, str] = field(default_factory=dict[str, str])
    """Fields that are one variable and nothing else, and their text."""
    taken: list[Taken] = field(default_factory=list[Taken])
    """Every variable that was filled in."""
    filled: set[str] = field(default_factory=set[str])
    """Fields that hold something from the environment: their value is never shown."""

    def fill(self, value: Json, path: str = "") -> Json:
        """Return `value` with every variable filled in; a missing one leaves its text as it is."""
        if isinstance(value, str):
            return self._text(value, path)
        if isinstance(value, dict):
            return {self._key(key, path): self.fill(item, child(path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self.fill(item, child(path, index)) for index, item in enumerate(value)]
        return value

    def _key(self, key: str, path: str) -> str:
        if self.env is not None and "${env:" in key:
            self.bad_keys.append((child(path, key), "expected a plain key, found ${env:...}; keys take none"))
        if not key.isascii() and _SURROGATE.search(key):
            self.problems.append((path, "expected Unicode text as a key, found half a surrogate pair"))
            return "?"
        return key

    def _text(self, text: str, path: str) -> str:
        if self.env is not None and "${" in text:
            text = self._filled(text, path, self.env)
        if not text.isascii() and _SURROGATE.search(text):
            self.problems.append((path, "expected Unicode text, found half a surrogate pair"))
            return ""
        return text

    def _filled(self, text: str, path: str, env: Mapping[str, str]) -> str:
        template = path.startswith(_TEMPLATES)

        def written(match: re.Match[str]) -> str:
            if match[0] == "$${":
                return "$${" if template else "${"
            value = self._look_up(match, path, env)
            if value is None:
                return match[0]
            self.filled.add(path)
            return value.replace("${", "$${") if template else value

        out = _FOUND.sub(written, text)
        whole = _FOUND.fullmatch(text)
        if whole and whole[1] is not None and path in self.filled:
            self.whole[path] = out
        return out

    def _look_up(self, match: re.Match[str], path: str, env: Mapping[str, str]) -> str | None:
        body = _BODY.fullmatch(match[1]) if match[1] is not None else None
        if body is None:
            found = match[0] if match[1] is not None else "${env: without a closing }"
            message = f"expected ${{env:NAME}} or ${{env:NAME:-default}}, found {found[:60]}"
            self.problems.append((path, message))
            return None
        name, default = body[1], body[2]
        value = env.get(name)
        if value:
            self.taken.append(Taken(path, name, value))
        if default is not None:
            return value or default
        if value is None:
            hint = f"set it, or write ${{env:{name}:-default}}"
            self.problems.append((path, f"expected the environment variable {name}, found it not set; {hint}"))
        return value
