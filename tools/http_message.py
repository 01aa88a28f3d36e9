"""What an HTTP tool sends and gets."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

from planloom.tools.credentials import Credentials


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One request, before anything secret is added to it."""

    method: str
    url: httpx.URL
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""
    credentials: Credentials = field(default_factory=Credentials)
    """Sent to the home origin only."""
    key: Mapping[str, str] = field(default_factory=dict[str, str])
    """The header with the idempotency key, where there is one; sent to the home origin only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """One answer, unpacked; the URL is the one asked for, without what is secret."""

    status: int
    url: httpx.URL
    headers: httpx.Headers = field(repr=False)
    body: bytes = field(repr=False)
