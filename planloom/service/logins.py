"""Logins that fail: how many an address, and a key, may have before it must wait."""

import hashlib
import ipaddress
import logging
import math
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from fastapi import Request

from planloom.service.caller import Authenticate, Caller
from planloom.service.problems import Problem
from planloom.state.keys import Keys

K = TypeVar("K")
V = TypeVar("V")
_NETWORK_BITS = 64
"""Of IPv6, in which one client has a network."""
_log = logging.getLogger("planloom.service")


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class FailedLogins:
    """Buckets of tries by address and by key, filled again evenly.

    Whoever was let in lately is not held up by what others try from the same address or with the same key's id: else
    a proxy's clients, or the holder of a key, could be locked out by anybody.

    Args:
        remembered: Addresses, keys and callers that are kept, each; who was not seen for longest goes first.
    """

    def __init__(self, remembered: int = 10_000) -> None:
        self._remembered = remembered
        self._addresses: OrderedDict[str, _Bucket] = OrderedDict()
        self._keys: OrderedDict[str, _Bucket] = OrderedDict()
        self._let_in: OrderedDict[bytes, None] = OrderedDict()

    async def let(self, request: Request, keys: Keys, authenticate: Authenticate, per_minute: int) -> Caller:
        """Return who sent a request.

        Args:
            request: The request.
            keys: API keys.
            authenticate: Tells who sent it.
            per_minute: Logins that may fail.

        Raises:
            Problem: 429, too many have failed; or what `authenticate` raises.
        """
        token = request.headers.get("authorization", "")
        proof = hashlib.sha256(token.encode()).digest()
        marks = list(self._marks(request, token)) if token else []
        if proof not in self._let_in:
            for of_kind, mark in marks:
                _check(of_kind, mark, per_minute)
        try:
            caller = await authenticate(request, keys)
        except Problem as problem:
            if problem.status == 401:
                self._let_in.pop(proof, None)
                for of_kind, mark in marks:
                    self._count(of_kind, mark, per_minute)
            raise
        if token:
            self._touch(self._let_in, proof, None)
        return caller

    def _marks(self, request: Request, token: str) -> Iterator[tuple[OrderedDict[str, _Bucket], str]]:
        yield self._addresses, _network(request.client.host if request.client else "")
        prefix, _, rest = token.rpartition(" ")[2].partition("_")
        if prefix == "pl":
            yield self._keys, f"key {rest.partition('_')[0][:32]}"

    def _count(self, buckets: OrderedDict[str, _Bucket], mark: str, per_minute: int) -> None:
        bucket = buckets.get(mark) or _Bucket(per_minute, time.monotonic())
        bucket.left, bucket.at = max(0.0, _filled(bucket, per_minute) - 1), time.monotonic()
        if bucket.left < 1:
            _log.warning("logins of %s fail too often and are refused for a while", mark)
        self._touch(buckets, mark, bucket)

    def _touch(self, kept: OrderedDict[K, V], key: K, value: V) -> None:
        kept[key] = value
        kept.move_to_end(key)
        if len(kept) > self._remembered:
            kept.popitem(last=False)


def _network(host: str) -> str:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped  # else all of IPv4 was one network
    return str(address) if address.version == 4 else str(ipaddress.ip_network((address, _NETWORK_BITS), strict=False))


def _check(buckets: OrderedDict[str, _Bucket], mark: str, per_minute: int) -> None:
    bucket = buckets.get(mark)
    if bucket is None:
        return
    left = _filled(bucket, per_minute)
    if left < 1:
        wait_s = max(1, math.ceil((1 - left) * 60 / per_minute))
        raise Problem(429, "too-many-requests", "Too many logins have failed.", headers={"Retry-After": str(wait_s)})


def _filled(bucket: _Bucket, per_minute: int) -> float:
    return min(per_minute, bucket.left + (time.monotonic() - bucket.at) * per_minute / 60)
