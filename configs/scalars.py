"""YAML 1.2's core schema: which plain texts are numbers, booleans, null. `NO`, `yes`, dates stay text."""

import math
import re
from collections.abc import Callable

from planloom.core.json import Json

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_FIRST = frozenset("~nNtTfF.+-0123456789")
_CORE = "tag:yaml.org,2002:"
_OF_TAG: dict[str, Callable[[Json], bool]] = {
    f"{_CORE}null": lambda value: value is None,
    f"{_CORE}bool": lambda value: isinstance(value, bool),
    f"{_CORE}int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    f"{_CORE}float": lambda value: isinstance(value, float | int) and not isinstance(value, bool),
}
MAX_INT = 2**63 - 1


def read_plain(text: str) -> Json:
    """Read a scalar that stands without quotes.

    Raises:
        ValueError: It is NaN, an infinity, or a number that 64 bits cannot hold.
    """
    if text in _NULL:
        return None
    if text[0] not in _FIRST:
        return text
    if text in _BOOL:
        return _BOOL[text]
    if _INT.fullmatch(text):
        return _whole(text)
    if _FLOAT.fullmatch(text) or _NOT_FINITE.fullmatch(text):
        return _finite(text)
    return text


def _whole(text: str) -> int:
    value = int(text, 0 if text[1:2] in ("o", "x") else 10) if len(text) <= 40 else MAX_INT + 1
    if not -MAX_INT - 1 <= value <= MAX_INT:
        raise ValueError(f"expected a whole number of at most 64 bits, found {text[:40]}; quote it for text")
    return value


def _finite(text: str) -> float:
    value = math.nan if _NOT_FINITE.fullmatch(text) else float(text)
    if not math.isfinite(value):
        raise ValueError(f"expected a finite number, found {text[:40]}; quote it for text")
    return value


def read_tagged(tag: str, text: str) -> Json:
    """Read a scalar with a tag: `!!str`, `!!int` and their like; anything else is refused.

    Raises:
        ValueError: The tag is not one of YAML's core schema, or the text is not of its kind.
    """
    if tag in ("!", f"{_CORE}str"):
        return text
    fits = _OF_TAG.get(tag)
    if fits is None:
        raise ValueError(f"expected no tag, found {shown_tag(tag)}")
    value = read_plain(text)
    if not fits(value):
        raise ValueError(f"expected text that {shown_tag(tag)} can read, found {text[:40]!r}")
    return value


def shown_tag(tag: str) -> str:
    """Return a tag as people write it."""
    return (tag.replace(_CORE, "!!", 1) if tag.startswith(_CORE) else tag)[:60]


def is_core(tag: str | None, kind: str) -> bool:
    """Whether a collection of `kind` (`map`, `seq`) may bear this tag."""
    return tag is None or tag in ("!", _CORE + kind)
