"""How values are written for people: money, time, tokens, states, and text that cannot steer a terminal."""

import json
import os
import re

from rich.console import Console

from planloom.core.events import Status
from planloom.core.json import Json
from planloom.core.result import NodeState

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

ICONS: dict[NodeState, str] = {
    "pending": "○",
    "running": "◐",
    "done": "●",
    "failed": "✗",
    "skipped": "–",
    "held": "?",
    "removed": "·",
}
COLOURS: dict[NodeState, str] = {
    "pending": "bright_black",
    "running": "cyan",
    "done": "green",
    "failed": "red",
    "skipped": "bright_black",
    "held": "yellow",
    "removed": "bright_black",
}
STATUS_COLOURS: dict[Status, str] = {
    "running": "cyan",
    "waiting": "yellow",
    "done": "green",
    "partial": "yellow",
    "failed": "red",
    "cancelled": "yellow",
    "interrupted": "yellow",
}
ACTION_MARKS: dict[str, str] = {
    "start": "▸",
    "retry": "↻",
    "vote": "≡",
    "promote": "↑",
    "keep": "=",
    "replan": "⤴",
    "ask": "?",
    "stop": "✗",
}


def harmless(text: str) -> str:
    """Replace control and direction characters: text from a model must not steer the terminal."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def one_line(text: str, limit: int = 200) -> str:
    """Fold text into one harmless line of at most `limit` characters."""
    flat = harmless(" ".join(text.split()))
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def usd(amount: float) -> str:
    """Write US dollars with as many digits as small sums need."""
    if amount == 0:
        return "$0"
    if 0 < amount < 0.00005:
        return "<$0.0001"
    return f"${amount:.2f}" if amount >= 1 else f"${amount:.4f}"


def usd_range(low: float | None, high: float | None) -> str:
    """Write a range of US dollars; `None` is a price nobody knows."""
    if low is None or high is None:
        return "unknown"
    return usd(high) if low == high else f"{usd(low)} to {usd(high)}"


def count_range(low: int, high: int) -> str:
    """Write a range of whole numbers."""
    return f"{high:,}" if low == high else f"{low:,} to {high:,}"


def seconds(value: float | None) -> str:
    """Write seconds as people read them; empty for `None`."""
    if value is None:
        return ""
    if value < 100:
        return f"{value:.2f}s" if value < 10 else f"{value:.1f}s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02d}s"
    hours = minutes // 60
    return f"{hours}h{minutes % 60:02d}m" if hours < 48 else f"{hours // 24}d{hours % 24:02d}h"


def tokens(value: int) -> str:
    """Write a number of tokens shortly."""
    if value < 10_000:
        return f"{value:,}"
    return f"{value / 1000:.1f}k" if value < 1_000_000 else f"{value / 1_000_000:.2f}M"


def size(value: int) -> str:
    """Write a number of bytes shortly."""
    if value < 10_000:
        return f"{value:,} B"
    return f"{value / 1000:.1f} kB" if value < 1_000_000 else f"{value / 1_000_000:,.1f} MB"


def plural(count: int, noun: str) -> str:
    """Write a number with its noun: `1 call`, `2 calls`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def console() -> Console:
    """Return the console of standard output; what is piped is not squeezed into 80 columns."""
    found = Console()
    if not found.is_terminal and "COLUMNS" not in os.environ:
        return Console(width=160)
    return found


def pretty(value: Json) -> str:
    """Write an output: text as it is, everything else as indented JSON."""
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def compact(value: Json, limit: int = 200) -> str:
    """Write a value as JSON on one line of at most `limit` characters."""
    text = json.dumps(value, ensure_ascii=False)
    return one_line(text, limit)
