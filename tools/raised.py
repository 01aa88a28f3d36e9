"""Where the user's own code raised, for messages and for the record."""

import sysconfig
import traceback
from pathlib import Path

_MAX_TRACE_CHARS = 8_000
_LIBRARIES = tuple({sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
_OURS = str(Path(__file__).resolve().parent.parent)
_ROOMS = ("agents", "configs", "core", "graphs", "models", "planloom", "state", "tools")
"""Folders of this library's own; other code may well stand beside them."""


def place_of(error: BaseException) -> str:
    """Return `file.py:32 in function`: the innermost line of an error that stands in no library; else empty."""
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        return f"{Path(error.filename).name}:{error.lineno}"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if _is_users(frame.filename):
            return f"{Path(frame.filename).name}:{frame.lineno} in {frame.name}"
    return ""


def _is_users(filename: str) -> bool:
    if filename.startswith("<") or filename.startswith(_LIBRARIES):
        return False
    return not any(str(Path(filename).resolve()).startswith(f"{_OURS}/{room}/") for room in _ROOMS)


def told(error: BaseException) -> str:
    """Return type, message and place of an error on one line of text."""
    place = place_of(error)
    return f"{type(error).__name__}: {error}"[:4000] + (f" ({place})" if place else "")


def trace_of(error: BaseException) -> str:
    """Return the whole traceback, its end where it is too long: for people, never for a model."""
    return "".join(traceback.format_exception(error))[-_MAX_TRACE_CHARS:]
