"""Prompts are files, one per role, and they are sent byte for byte: the stable part comes first."""

import json
from functools import cache
from importlib.resources import files

from planloom.core.json import Json


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


def clip(value: Json, limit: int) -> Json:
    """Return `value`, or the head of its JSON text with a mark when it is longer than `limit` characters."""
    text = json.dumps(value, ensure_ascii=False)
    if len(text) <= limit:
        return value
    return f"{text[:limit]}... [{len(text) - limit} characters more]"
