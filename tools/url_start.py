"""A URL of which only the beginning is known, as in `https://host/path/${inputs.id}`: may any request to it leave?"""

import re
from collections.abc import Sequence

import httpx

from planloom.tools.allow import Rule, fault_of, like, origin_of

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^?#]*)(.*)", re.DOTALL)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


def start_fault(start: str, method: str | None, rules: Sequence[Rule], base: httpx.URL | None) -> str:
    """Say why nothing that begins with `start` is allowed; empty when something may be.

    Args:
        start: What stands before the first reference.
        method: `None` while it is not known.
        rules: Which requests may leave.
        base: Where relative URLs start.
    """
    if not _SCHEME.match(start) and base is not None and "/" in start:
        start = f"{str(base).rstrip('/')}/{start.lstrip('/')}"
    url = _URL.match(start)
    if url is None:
        known = _SCHEME.match(start)
        wrong = known is not None and known[0].lower() not in ("http:", "https:")
        return f"{start[:200]!r}: expected an http or https URL" if wrong else ""
    scheme, authority, path, query = url.groups()
    if not path and not query:
        fits = any(_host_may(rule, scheme, authority) for rule in rules)
        return "" if fits else _refused(start, method, rules)
    whole = path if query else path[: path.rfind("/") + 1]
    try:
        known_part = httpx.URL(f"{scheme}://{authority}{whole}")
    except httpx.InvalidURL as exc:
        return f"{start[:200]!r} is not the beginning of a URL: {exc}"
    if fault := fault_of(known_part):
        return f"{start[:200]!r}: {fault}"
    fitting = [rule for rule in rules if rule.origin_fits(origin_of(known_part)) and method in (None, rule.method)]
    if any(_path_may(rule, known_part, whole=bool(query)) for rule in fitting):
        return ""
    return _refused(start, method, rules)


def _host_may(rule: Rule, scheme: str, authority: str) -> bool:
    """Whether a rule may allow a host of which perhaps only the beginning is known."""
    if authority.startswith("[") or "@" in authority:
        return True
    host, ended, _ = authority.lower().partition(":")
    return scheme.lower() == rule.scheme and _may(rule.host, host, whole=bool(ended))


def _path_may(rule: Rule, url: httpx.URL, *, whole: bool) -> bool:
    return rule.allows(rule.method, url) if whole else _may(rule.path, url.path, whole=False)


def _may(pattern: str, start: str, *, whole: bool) -> bool:
    """Whether a text that begins with `start` can fit a pattern, as far as its part before the first `*` says."""
    if whole:
        return like(start, pattern)
    head, star, _ = pattern.partition("*")
    return head.startswith(start) or (bool(star) and start.startswith(head))


def _refused(start: str, method: str | None, rules: Sequence[Rule]) -> str:
    allowed = ", ".join(map(str, rules)) or "nothing"
    return f"{method or 'a request to'} {start[:200]}... is not allowed; allowed: {allowed}"
