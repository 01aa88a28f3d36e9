"""Connect to public addresses only, checked on the address that is connected to."""

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from typing import TypeAlias

import httpcore

_SocketOption: TypeAlias = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_EMBEDDING = (ipaddress.ip_network("2002::/16"), ipaddress.ip_network("2001::/32"))


class PrivateAddressError(Exception):
    """The name leads to an address that is not on the public internet."""


def is_public(address: str) -> bool:
    """Whether `address` is on the public internet; forms that carry an IPv4 address are judged by that."""
    found = ipaddress.ip_address(address)
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return is_public(str(found.ipv4_mapped))
        if found in _NAT64:
            return is_public(str(ipaddress.IPv4Address(found.packed[-4:])))
        if found.is_site_local or any(found in network for network in _EMBEDDING):
            return False
    return found.is_global and not (found.is_multicast or found.is_reserved or found.is_unspecified)


class CheckedBackend(httpcore.AsyncNetworkBackend):
    """Resolves a name itself, judges every address, and connects to one it has judged."""

    def __init__(self, *, private: bool) -> None:
        self._private = private
        # httpcore declares a stand-in of this name for when anyio is missing, which pyright takes for it.
        self._inner: httpcore.AsyncNetworkBackend = httpcore.AnyIOBackend()  # pyright: ignore[reportAttributeAccessIssue]

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
            PrivateAddressError: One of the addresses of `host` is not public.
            httpcore.ConnectError: The name does not resolve, or nothing answers.
        """
        addresses = await _resolve(host, port)
        if not self._private:
            for address in addresses:
                if not is_public(address):
                    raise PrivateAddressError(f"{host!r} leads to {address}, which is not a public address")
        failure: httpcore.ConnectError | None = None
        for address in addresses:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except httpcore.ConnectError as exc:
                failure = exc
        raise failure or httpcore.ConnectError(f"{host!r} has no address")

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


async def _resolve(host: str, port: int) -> list[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:
        raise httpcore.ConnectError(f"{host!r} does not resolve") from exc
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
