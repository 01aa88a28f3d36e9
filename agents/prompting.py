"""Prompts are files, one per role, and they are sent byte for byte: the stable part comes first."""

import json
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from planloom.core.json import Json
from planloom.core.outcome import Evidence


@cache
def prompt(name: str) -> str:
    """Return the text of `prompts/NAME.md`."""
    return files("planloom.agents").joinpath("prompts", f"{name}.md").read_text(encoding="utf-8").strip()


def section(title: str, body: str) -> str:
    """Return one headed section of a message; nothing for an empty body."""
    return f"# {title}\n{body.strip()}\n\n" if body.strip() else ""


def block(value: Json) -> str:
    """Return a value as a fenced JSON block."""
    return f"```json\n{json.dumps(value, ensure_ascii=False, indent=1)}\n```"


def found_wrong(evidence: Iterable[Evidence], rejected: Json) -> str:
    """Return what was found wrong with an earlier attempt, and its result; empty when nothing was."""
    facts: list[Json] = [item.as_json() for item in evidence]
    if not facts:
        return ""
    shown = f"The rejected result:\n{block(clip(rejected, 4000))}" if rejected is not None else ""
    return f"Found wrong:\n{block(facts)}\n{shown}"


def clip(value: Json, limit: int) -> Json:
    """Return `value`, or the head of its JSON text with a mark when it is longer than `limit` characters."""
    text = json.dumps(value, ensure_ascii=False)
    if len(text) <= limit:
        return value
    return f"{text[:limit]}... [{len(text) - limit} characters more]"
