"""Connect to public addresses only, checked on the address that is connected to."""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeAlias

import httpcore

_SocketOption: TypeAlias = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]

Resolve: TypeAlias = Callable[[str, int], Awaitable[list[str]]]
"""Host and port to addresses."""

# Spelled out, because what `is_global` says depends on the Python version.
_NOT_PUBLIC_V4 = tuple(
    map(
        ipaddress.IPv4Network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
            *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15"),
            *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
            "168.63.129.16/32",  # looks public, is the host's own service in Azure
        ),
    )
)
_UNICAST = ipaddress.IPv6Network("2000::/3")
_NOT_PUBLIC_V6 = tuple(map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_ISATAP = (b"\x00\x00\x5e\xfe", b"\x02\x00\x5e\xfe")


class PrivateAddressError(Exception):
    """The name leads to an address that is not on the public internet."""


def is_public(address: str) -> bool:
    """Whether `address` is on the public internet; forms that carry an IPv4 address are judged by that."""
    found = ipaddress.ip_address(address)
    if isinstance(found, ipaddress.IPv4Address):
        return not any(found in network for network in _NOT_PUBLIC_V4)
    if found.scope_id is not None:
        return False
    if found.ipv4_mapped is not None or found in _NAT64:
        return is_public(str(ipaddress.IPv4Address(found.packed[-4:])))
    if found.packed[8:12] in _ISATAP or found not in _UNICAST:
        return False
    return not any(found in network for network in _NOT_PUBLIC_V6)


class CheckedBackend(httpcore.AsyncNetworkBackend):
    """Resolves a name itself, judges every address, and connects to one it has judged."""

    def __init__(
        self, *, private: bool, resolve: Resolve | None = None, inner: httpcore.AsyncNetworkBackend | None = None
    ) -> None:
        """Make a backend.

        Args:
            private: Allow every address.
            resolve: Looks a name up; left out, the system's resolver.
            inner: Connects to the addresses; left out, the system's sockets.
        """
        self._private, self._resolve = private, resolve or _resolve
        # httpcore declares a stand-in of this name for when anyio is missing, which pyright takes for it.
        self._inner: httpcore.AsyncNetworkBackend = inner or httpcore.AnyIOBackend()  # pyright: ignore[reportAttributeAccessIssue]

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[_SocketOption] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect.

        Raises:
            PrivateAddressError: One of the addresses of `host` is not public, or is this machine's own.
            httpcore.ConnectError: The name does not resolve, or nothing answers.
        """
        addresses = await self._resolve(host, port)
        if not self._private:
            for address in addresses:
                if not is_public(address):
                    told = f"{host!r} leads to {address}, which is not a public address"
                    raise PrivateAddressError(f"{told}; only `private: true` lets it through")
        failure: httpcore.ConnectError | None = None
        for address in addresses:
            try:
                stream = await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except httpcore.ConnectError as exc:
                failure = exc
                continue
            return stream if self._private else await _abroad(stream, host)
        if failure is None:
            raise httpcore.ConnectError(f"{host!r} has no address")
        raise httpcore.ConnectError(f"{host}:{port}: {_reason(failure)}") from failure

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        socket_options: Iterable[_SocketOption] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Refuse: no URL leads here."""
        raise PrivateAddressError("unix sockets are not allowed")

    async def sleep(self, seconds: float) -> None:
        """Wait between retries."""
        await asyncio.sleep(seconds)


async def _abroad(stream: httpcore.AsyncNetworkStream, host: str) -> httpcore.AsyncNetworkStream:
    """Return the stream, unless its other end is this machine: a public address may be its own."""
    here, there = (_ip(stream.get_extra_info(end)) for end in ("client_addr", "server_addr"))
    if there and there != here and is_public(there):
        return stream
    await stream.aclose()
    raise PrivateAddressError(f"{host!r} leads to {there or 'nowhere'}, which is not an address of another machine")


def _reason(failure: BaseException) -> str:
    """Say why nothing was connected to: what the system said lies under what its callers made of it."""
    while failure.__cause__ is not None:
        failure = failure.__cause__
    return "connection refused" if isinstance(failure, ConnectionRefusedError) else str(failure)


def _ip(address: object) -> str:
    return address[0] if isinstance(address, tuple) and address and isinstance(address[0], str) else ""


async def _resolve(host: str, port: int) -> list[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:
        raise httpcore.ConnectError(f"{host!r} does not resolve") from exc
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
