"""Regular expressions in linear time (RE2): the only file that talks to that library."""

from collections.abc import Iterable

import re2

_QUIET = re2.Options()
_QUIET.log_errors = False


class PatternError(ValueError):
    """The pattern is not RE2 syntax, or the text cannot be searched."""


def check_pattern(pattern: str) -> None:
    """Return if `pattern` can be used.

    Raises:
        PatternError: It is not RE2 syntax, or too large.
    """
    _search(pattern, b"")


def has_match(pattern: str, text: str) -> bool:
    """Tell whether `text` contains a match of `pattern`.

    Raises:
        PatternError: As `check_pattern`.
    """
    return _search(pattern, text.encode(errors="replace"))


def _search(pattern: str, text: bytes) -> bool:
    try:
        return re2.compile(pattern.encode(), _QUIET).search(text) is not None
    except re2.error as exc:
        found = exc.args[0] if exc.args else b""
        raise PatternError(found.decode(errors="replace") if isinstance(found, bytes) else str(found)) from None
    except UnicodeEncodeError:
        raise PatternError("it holds half of a surrogate pair") from None


class AnyOf:
    """Fixed texts that are looked for all at once."""

    def __init__(self, texts: Iterable[bytes]) -> None:
        self._search = re2.compile(b"|".join(re2.escape(text) for text in sorted(texts)), _QUIET).search

    def found_in(self, text: bytes) -> bool:
        """Tell whether one of them stands in `text`."""
        return self._search(text) is not None
