"""Which requests an HTTP tool may make: rules of method, host and path."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import unquote

import httpx

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One entry of `allow`; host and path are glob patterns, where `*` stands for any text."""

    method: str
    scheme: str
    host: str
    port: int
    path: str

    def allows(self, method: str, url: httpx.URL) -> bool:
        """Whether the request fits."""
        return (
            method == self.method
            and url.scheme == self.scheme
            and port_of(url) == self.port
            and fnmatchcase(url.host.lower(), self.host)
            and fnmatchcase(url.path, self.path)
        )

    def __str__(self) -> str:
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.method} {self.scheme}://{self.host}{port}{self.path}"


def port_of(url: httpx.URL) -> int:
    """Return the port, also where the URL leaves it to the scheme."""
    return url.port or _PORTS.get(url.scheme, 0)


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
        path = base.path.rstrip("/") + target
        return Rule(method=method, scheme=base.scheme, host=base.host.lower(), port=port_of(base), path=path)
    scheme, separator, rest = target.partition("://")
    if not separator or scheme not in _PORTS:
        raise ValueError(f"expected /path or https://host/path, found {target!r}")
    place, slash, path = rest.partition("/")
    host, _, port = place.partition(":") if not place.startswith("[") else (place.strip("[]"), "", "")
    if not host or (port and not port.isdigit()):
        raise ValueError(f"expected a host in {target!r}")
    number = int(port) if port else _PORTS[scheme]
    return Rule(method=method, scheme=scheme, host=host.lower(), port=number, path=slash + path or "*")


def base_rule(base: httpx.URL) -> Rule:
    """Return the rule that stands where `allow` is left out: reading anything below the base URL."""
    path = base.path.rstrip("/") + "/*"
    return Rule(method="GET", scheme=base.scheme, host=base.host.lower(), port=port_of(base), path=path)


def fault_of(url: httpx.URL) -> str:
    """Say why a URL is refused whatever the rules say; empty when it is in order."""
    if url.scheme not in _PORTS or not url.host:
        return "expected an http or https URL with a host"
    if url.userinfo:
        return "a URL with a user or password is not allowed"
    raw = url.raw_path.decode("ascii", "replace").partition("?")[0]
    decoded = unquote(unquote(raw))
    if "\\" in decoded or "//" in decoded or any(part in (".", "..") for part in decoded.split("/")):
        return "a path with `..`, `//` or a backslash is not allowed"
    if "%2f" in raw.lower() or any(ord(character) < 32 for character in decoded):
        return "a path with an encoded slash or a control character is not allowed"
    return ""
