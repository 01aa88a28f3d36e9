"""Checks of what can be held against something else: quotations, tool calls, code."""

import ast
import json
import re
import unicodedata
import warnings

from planloom.core.json import Json
from planloom.quality.finding import Flaw
from planloom.quality.reading import Reading

_QUOTED = re.compile(
    r"[\"“„”«]([^\"“”„«»]{12,600})[\"”“»]|(?<!\w)[‘‚]([^‘‚]{12,600}?)[’‘](?!\w)|^[ \t]{0,9}>[ \t]?(\S[^\n]{11,600})$",
    re.MULTILINE,
)
"""Between quotation marks of any kind, or a line that is quoted as in a letter."""
_NUMBERED = re.compile(r"\[(\d{1,3}(?:\s?[,;–-]\s?\d{1,3})*)\]")
_LEFT_OUT = re.compile(r"\[?(?:\.\s?\.\s?\.|…)\]?")
_PAGE_MARK = re.compile(
    r"^[^\w\n]{0,20}(?:page|p\.)?[^\w\n]{0,5}\d{1,4}(?: ?(?:/|of) ?\d{1,4})?[^\w\n]{0,20}$",
    re.IGNORECASE | re.MULTILINE,
)
_BROKEN = re.compile(r"(?<=\w)-[ \t]{0,9}\n\s{0,9}(?=\w)")
_FENCED = re.compile(r"(```|~~~)(?:python|py)[ \t]*\n(.*?)(?:\1|\Z)", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"\A\s*```\w*\s*\n(.*?)\n\s*```\s*\Z", re.DOTALL)
_MIN_WORDS = 4


def citation(reading: Reading) -> Flaw | None:
    """Require that quotations of four words or more stand in a source, and that `[3]` has a third source."""
    if not reading.sources:
        return None
    known = [text for source in reading.sources for text in _as_read(source)]
    quotes = ["".join(found) for found in _QUOTED.findall(reading.body)]
    long = [quote for quote in quotes if len(quote.split()) >= _MIN_WORDS]
    absent = [f'"{_one_line(quote)[:80]}"' for quote in long if not any(_stands(quote, source) for source in known)]
    wrong = [each for each in _NUMBERED.finditer(reading.body) if not _all_there(each[1], len(reading.sources))]
    absent += [f"{each[0]} of {len(reading.sources)}" for each in wrong]
    return Flaw(min(len(absent), 2), "quotations from the sources", "; ".join(absent[:3])) if absent else None


def _as_read(source: str) -> tuple[str, ...]:
    """Return a source as it is, and without its page marks, words broken at a line's end once in two and once whole."""
    text = _PAGE_MARK.sub(" ", source)
    return _plain(source), _plain(text), _plain(_BROKEN.sub("", text))


def _stands(quote: str, source: str) -> bool:
    """Tell whether the parts of a quotation, between what it leaves out, stand in a source in their order."""
    at = 0
    for part in _LEFT_OUT.split(quote):
        if words := _plain(part).strip():
            at = source.find(f" {words} ", at)
            if at < 0:
                return False
            at += len(words)
    return True


def _all_there(numbers: str, count: int) -> bool:
    return all(0 < int(number) <= count for number in re.findall(r"\d+", numbers))


def _plain(text: str) -> str:
    words = re.sub(r"[^\w\s]", " ", unicodedata.normalize("NFKC", text).casefold()).split()
    return f" {' '.join(words)} "


def _one_line(text: str) -> str:
    return " ".join(text.split())


def tool_call(reading: Reading) -> Flaw | None:
    """Require of each call in JSON, `{"name": ..., "arguments": {...}}`, that the tool exists and its schema is met.

    A fence around it, a list of calls, arguments as a text of JSON and what OpenAI's API puts around a call are read.
    """
    if not reading.tools:
        return None
    fenced = _FENCE.match(reading.body)
    try:
        calls = _calls(json.loads(fenced[1] if fenced else reading.body))
    except (ValueError, RecursionError):
        return Flaw(2, "a tool call as JSON", reading.body[:100])
    return next((flaw for call in calls if (flaw := _misfit(call, reading)) is not None), None)


def _calls(value: Json) -> list[Json]:
    if isinstance(value, dict) and isinstance(value.get("tool_calls"), list):
        value = value["tool_calls"]
    return value if isinstance(value, list) and value else [value]


def _misfit(call: Json, reading: Reading) -> Flaw | None:
    known = f"one of {', '.join(sorted(reading.tools))}"
    if isinstance(call, dict) and isinstance(call.get("function"), dict):
        call = call["function"]
    if not isinstance(call, dict):
        return Flaw(2, "a tool call as JSON", json.dumps(call)[:100])
    name, arguments = call.get("name"), call.get("arguments")
    if not isinstance(name, str):
        return Flaw(2, f"{known} as name", f"no name; {', '.join(call)[:100] or 'nothing'}")
    if (fits := reading.tools.get(name)) is None:
        return Flaw(2, known, name[:100])
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except (ValueError, RecursionError):
            return Flaw(2, f"arguments that fit {name}", f"no JSON: {arguments[:100]}")
    problem = fits(arguments)
    return Flaw(2, f"arguments that fit {name}", problem[:200]) if problem else None


def code(reading: Reading) -> Flaw | None:
    """Require that fenced Python can be read; running it against its tests is what a `code` check with `load` does."""
    for _, block in _FENCED.findall(reading.body):
        if block.lstrip().startswith(">>>"):
            continue  # a session, not a program
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of a backslash in a pattern
                ast.parse(block)
        except SyntaxError as exc:
            line = f", line {exc.lineno}: {(exc.text or '').strip()[:80]}" if exc.lineno else ""
            return Flaw(2, "Python that can be read", f"{exc.msg}{line}"[:200])
        except (ValueError, RecursionError, MemoryError) as exc:
            return Flaw(2, "Python that can be read", str(exc)[:200])
    return None
