"""A run as plain lines: one per event, the time, what happened, then `key=value` pairs to grep for."""

import json

from planloom.cli.words import compact, one_line
from planloom.core import events as ev
from planloom.core.json import Json
from planloom.telemetry.facts import facts_of, kind_of

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:/[]()$+*<>@,~")


def line(event: ev.AnyEvent, started_at: float) -> str:
    """Write an event as one line: seconds since `started_at`, the kind of event, its facts."""
    facts = [f"{key}={_value(value)}" for key, value in facts_of(event).items() if value not in (None, "")]
    return f"{max(0.0, event.at - started_at):9.3f} {kind_of(event)} {' '.join(facts)}".rstrip()


def _value(value: Json) -> str:
    if isinstance(value, float):
        return f"{value:.6f}".rstrip("0").rstrip(".") or "0"
    if isinstance(value, str):
        flat = one_line(value, 300)
        return flat if set(flat) <= _PLAIN else json.dumps(flat, ensure_ascii=False)
    return compact(value)
