"""Checks of what can be held against something else: quotations, tool calls, code."""

import ast
import json
import re
import warnings

from planloom.core.json import Json
from planloom.quality.finding import Flaw
from planloom.quality.reading import Reading

_QUOTED = re.compile(r"[\"“]([^\"“”\n]{12,600})[\"”]")
_NUMBERED = re.compile(r"\[(\d{1,3})\]")
_FENCED = re.compile(r"```(?:python|py)[ \t]*\n(.*?)(?:```|\Z)", re.DOTALL)
_MIN_WORDS = 4


def citation(reading: Reading) -> Flaw | None:
    """Require that quotations of four words or more stand in a source, and that `[3]` has a third source."""
    if not reading.sources:
        return None
    known = [_plain(source) for source in reading.sources]
    quotes = [quote for quote in _QUOTED.findall(reading.body) if len(quote.split()) >= _MIN_WORDS]
    absent = [f'"{quote[:80]}"' for quote in quotes if not any(_plain(quote) in source for source in known)]
    absent += [f"[{number}]" for number in _NUMBERED.findall(reading.body) if not 0 < int(number) <= len(known)]
    return Flaw(min(len(absent), 2), "quotations from the sources", "; ".join(absent[:3])) if absent else None


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[^\w\s]", " ", text.lower()).split())


def tool_call(reading: Reading) -> Flaw | None:
    """Require of a call in JSON, `{"name": ..., "arguments": {...}}`, that the tool exists and its schema is met."""
    if not reading.tools:
        return None
    try:
        call: Json = json.loads(reading.body)
    except (ValueError, RecursionError):
        return Flaw(2, "a tool call as JSON", reading.body[:100])
    name, arguments = (call.get("name"), call.get("arguments")) if isinstance(call, dict) else (None, None)
    fits = reading.tools.get(name) if isinstance(name, str) else None
    if fits is None:
        return Flaw(2, f"one of {', '.join(sorted(reading.tools))}", str(name)[:100])
    problem = fits(arguments)
    return Flaw(2, f"arguments that fit {name}", problem[:200]) if problem else None


def code(reading: Reading) -> Flaw | None:
    """Require that fenced Python can be read; running it against its tests is what a `code` check with `load` does."""
    for block in _FENCED.findall(reading.body):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of a backslash in a pattern
                ast.parse(block)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as exc:
            return Flaw(2, "Python that can be read", str(exc)[:200])
    return None
