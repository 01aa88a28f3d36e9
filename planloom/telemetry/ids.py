"""Ids of traces and spans: they follow from the run, whichever process asks."""

import hashlib


def trace_id_of(run_id: str) -> str:
    """Return the id of a run's trace, 32 hexadecimal digits."""
    return _digest("trace", run_id)[:32]


def span_id_of(trace_id: int, key: str) -> int:
    """Return the id of a span by what names it within its trace."""
    return int(_digest("span", f"{trace_id:032x}", key)[:16], 16)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(("planloom", *parts)).encode()).hexdigest()
