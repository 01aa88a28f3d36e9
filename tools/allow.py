"""Which requests an HTTP tool may make: rules of method, host and path."""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TypeAlias
from urllib.parse import unquote

import httpx

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?|[0-9a-f:.]*:[0-9a-f:.]*")
_TARGET = re.compile(r"(https?)://(\[[0-9a-fA-F:.]+\]|[^\[\]/:@?#\\\s]+)(?::(\d{1,5}))?(/[^?#\s]*)?")

Origin: TypeAlias = tuple[str, str, int]
"""Scheme, host as it travels, port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One entry of `allow`; in host and path `*` stands for any text."""

    method: str
    scheme: str
    host: str
    port: int
    path: str

    def allows(self, method: str, url: httpx.URL) -> bool:
        """Whether the request fits."""
        return method == self.method and self.origin_fits(origin_of(url)) and like(url.path, self.path)

    def names(self, method: str, path: str) -> bool:
        """Whether the rule speaks of a path, which may have holes such as `{id}`."""
        return method == self.method and like(path, self.path)

    def origin_fits(self, origin: Origin) -> bool:
        """Whether requests to `origin` may fit."""
        scheme, host, port = origin
        return scheme == self.scheme and port == self.port and like(host, self.host)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.method} {self.scheme}://{host}{port}{self.path}"


def origin_of(url: httpx.URL) -> Origin:
    """Return the origin, with the port also where the URL leaves it to the scheme."""
    port = _PORTS.get(url.scheme, 0) if url.port is None else url.port
    return url.scheme, url.raw_host.decode("ascii").lower(), port


def read_rule(text: str, base: httpx.URL | None) -> Rule:
    """Read `METHOD /path*` or `METHOD https://host/path*`.

    Raises:
        ValueError: It is neither, or a path without a base URL.
    """
    method, _, target = text.strip().rpartition(" ")
    method = method.strip().upper() or "GET"
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}; expected one of {', '.join(METHODS)}")
    if target.startswith("/"):
        if base is None:
            raise ValueError(f"{target!r} is a path, but there is no base_url")
        return below(base, method, target)
    match = _TARGET.fullmatch(target)
    if match is None:
        raise ValueError(f"expected /path or https://host/path, with a host and no query; found {target!r}")
    scheme, host, port, path = match.groups()
    number = int(port) if port else _PORTS[scheme]
    return Rule(method=method, scheme=scheme, host=_ascii(host.strip("[]")), port=number, path=path or "/*")


def below(base: httpx.URL, method: str, path: str) -> Rule:
    """Return the rule for a path pattern below the base URL."""
    scheme, host, port = origin_of(base)
    return Rule(method=method, scheme=scheme, host=host, port=port, path=base.path.rstrip("/") + path)


def fault_of(url: httpx.URL) -> str:
    """Say why a URL is refused whatever the rules say; empty when it is in order."""
    if url.scheme not in _PORTS or not url.host:
        return "expected an http or https URL with a host"
    if url.userinfo:
        return "a URL with a user or password is not allowed"
    if not _HOST.fullmatch(origin_of(url)[1]):
        return "expected a host of letters, digits, dots and hyphens, or an IP address without a zone"
    raw = url.raw_path.decode("ascii", "replace").partition("?")[0]
    decoded = unquote(unquote(raw))
    if "\\" in decoded or "//" in decoded or any(climbs(part) for part in decoded.split("/")):
        return "a path with `..`, `//` or a backslash is not allowed"
    if "%2f" in unquote(raw).lower() + raw.lower() or any(ord(character) < 32 for character in decoded):
        return "a path with an encoded slash or a control character is not allowed"
    return ""


def climbs(segment: str) -> bool:
    """Whether some server takes a path segment for `.` or `..`; some drop what stands behind a semicolon."""
    return segment.partition(";")[0] in (".", "..")


def like(text: str, pattern: str) -> bool:
    """Whether a text fits a pattern of host or path."""
    return fnmatchcase(text, pattern.replace("[", "[[]").replace("?", "[?]"))


def _ascii(host: str) -> str:
    """Return a host pattern as hosts travel."""
    if host.isascii():
        return host.lower()
    try:
        return httpx.URL(f"https://{host}/").raw_host.decode("ascii")
    except httpx.InvalidURL as exc:
        raise ValueError(f"expected a host, found {host!r}") from exc
