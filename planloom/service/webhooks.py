"""Webhooks: others are told when runs end or wait for a person, signed as Standard Webhooks are.

What is to be told is read from the journal, so nothing is lost when the process is killed: at least once, under an id
that is the same each time.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
import logging
import os
import random
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address

import httpcore
import httpx

from planloom.core.errors import ConfigError, PlanloomError, Problem
from planloom.core.json import JsonObject
from planloom.service.webhook_news import news_of
from planloom.state.deliveries import Deliveries, Delivery
from planloom.state.journal import Journal, JournalError
from planloom.state.owners import Owners
from planloom.tools.address import CheckedBackend, is_public
from planloom.tools.allow import fault_of

SECRET_VARIABLE = "PLANLOOM_WEBHOOK_SECRET"
_PREFIX = "whsec_"
_SECRET_BYTES = range(24, 65)
_POLL_S = 1.0
_TIMEOUT_S = 10.0
_HOLD_S = 20.0
"""Others leave a delivery alone for so long; longer than sending takes."""
_AT_ONCE = 8
_GONE = 410
_log = logging.getLogger("planloom.service")


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhooks:
    """Who is told, and how."""

    urls: Sequence[str] = ()
    secrets: Sequence[bytes] = field(default=(), repr=False)
    """Each makes a signature; receivers take any, so that a secret can be replaced."""
    private: bool = False
    """Addresses that are not on the public internet are allowed."""
    delays_s: Sequence[float] = (5, 30, 120, 600, 1800, 3600, 7200, 14400, 28800, 28800)
    """Seconds between tries, a fifth more or less; after the last it is given up."""

    def headers(self, message_id: str, now: int, body: bytes) -> dict[str, str]:
        """Return the headers that identify and sign a body."""
        signed = f"{message_id}.{now}.".encode() + body
        macs = [base64.b64encode(hmac.digest(secret, signed, "sha256")).decode() for secret in self.secrets]
        return {
            "webhook-id": message_id,
            "webhook-timestamp": str(now),
            "webhook-signature": " ".join(f"v1,{mac}" for mac in macs),
        }


def webhooks_to(urls: Sequence[str], *, private: bool) -> Webhooks:
    """Return webhooks to URLs, signed with the secrets of the environment.

    Args:
        urls: May be empty; then no secret is needed.
        private: Allow addresses that are not on the public internet, and http.

    Raises:
        ConfigError: A URL cannot be sent to, or a secret is missing or malformed.
    """
    faults = [Problem(f"{url!r}: {fault}", "--webhook") for url in urls if (fault := _fault(url, private=private))]
    if faults:
        raise ConfigError("command line", faults)
    if not urls:
        return Webhooks()
    secrets = [_secret(text) for text in os.environ.get(SECRET_VARIABLE, "").split()]
    if not secrets:
        raise ConfigError(SECRET_VARIABLE, [Problem("is not set; webhooks are signed with it: whsec_ and base64")])
    return Webhooks(urls=tuple(dict.fromkeys(urls)), secrets=tuple(secrets), private=private)


def _fault(text: str, *, private: bool) -> str:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as exc:
        return str(exc)
    if fault := fault_of(url):
        return fault
    if private:
        return ""
    if url.scheme != "https":
        return "expected https (--webhook-private allows http)"
    return "" if _may_be_public(url.host) else "is not a public address (--webhook-private allows it)"


def _may_be_public(host: str) -> bool:
    """Tell whether a host is no private address; where a name leads to is checked when it is connected to."""
    try:
        return is_public(str(ip_address(host)))
    except ValueError:
        return True


def _secret(text: str) -> bytes:
    """Read a secret; the error does not show it."""
    try:
        secret = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if not text.startswith(_PREFIX) or len(secret) not in _SECRET_BYTES:
        raise ConfigError(SECRET_VARIABLE, [Problem("expected whsec_ and the base64 of 24 to 64 random bytes")])
    return secret


@asynccontextmanager
async def delivering(webhooks: Webhooks, journal: Journal) -> AsyncGenerator[None]:
    """Deliver while the context is open; what is left then goes at the next start."""
    receivers = [_Receiver(url, webhooks, journal) for url in webhooks.urls]
    for receiver in receivers:
        await receiver.deliveries.open(time.time())
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(receiver.serve(), name=f"webhook {receiver.url}") for receiver in receivers]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


class _Receiver:
    """One URL, with connections of its own: it holds up nobody else."""

    def __init__(self, url: str, webhooks: Webhooks, journal: Journal) -> None:
        self.url = url
        self._name = str(httpx.URL(url).copy_with(query=None))
        """For the log: what stands in a query may be secret."""
        self._webhooks, self._journal, self._owners = webhooks, journal, Owners(journal)
        self.deliveries = Deliveries(journal, _digest(url))
        self._gone = False

    async def serve(self) -> None:
        """Send what is due, until the receiver says that it wants nothing any more."""
        async with httpcore.AsyncConnectionPool(
            ssl_context=httpx.create_ssl_context(),
            max_connections=_AT_ONCE,
            keepalive_expiry=15,
            network_backend=CheckedBackend(private=self._webhooks.private),
        ) as pool:
            while not self._gone:
                if not await self._send_due(pool):
                    await asyncio.sleep(_POLL_S)
        _log.warning("webhook %s answered 410: it gets nothing more until the next start", self._name)

    async def _send_due(self, pool: httpcore.AsyncConnectionPool) -> bool:
        try:
            due = await self.deliveries.claim(time.time(), _HOLD_S, _AT_ONCE)
        except JournalError as exc:
            _log.warning("webhook %s waits for the journal: %s", self._name, exc)
            return False
        async with asyncio.TaskGroup() as group:
            for delivery in due:
                group.create_task(self._tell(pool, delivery))
        return bool(due)

    async def _tell(self, pool: httpcore.AsyncConnectionPool, delivery: Delivery) -> None:
        try:
            fault = await self._attempt(pool, delivery)
            await self._note(delivery, fault)
        except JournalError as exc:  # it is due again when its hold is over
            _log.warning("webhook %s: run %s, event %d: %s", self._name, delivery.run_id, delivery.seq, exc)

    async def _attempt(self, pool: httpcore.AsyncConnectionPool, delivery: Delivery) -> str:
        """Send an event if there is something to tell; return why it did not arrive, empty when all is well."""
        try:
            history = await self._journal.events(delivery.run_id)
            news = news_of(history, delivery.seq, wanted=await self._owners.wanted(delivery.run_id))
        except PlanloomError as exc:
            return str(exc)
        if news is None:
            return ""
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                status = await self._post(pool, delivery, news)
        except Exception as exc:
            return f"{type(exc).__name__}: {exc}"
        self._gone = self._gone or status == _GONE
        return "" if 200 <= status < 300 else f"it answered {status}"

    async def _post(self, pool: httpcore.AsyncConnectionPool, delivery: Delivery, news: JsonObject) -> int:
        """Post, follow no redirect, and leave what is answered unread."""
        url = httpx.URL(self.url)
        body = json.dumps(news, ensure_ascii=True, separators=(",", ":")).encode()
        message_id = "msg_" + _digest(f"{self.url}\n{delivery.run_id}\n{delivery.seq}")
        headers = {
            "Host": url.netloc.decode("ascii"),
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "User-Agent": "planloom",
            **self._webhooks.headers(message_id, int(time.time()), body),
        }
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        sent = httpx.Headers(headers).raw
        async with pool.stream("POST", target, headers=sent, content=body) as answer:
            return answer.status

    async def _note(self, delivery: Delivery, fault: str) -> None:
        if not fault:
            await self.deliveries.settle(delivery, "done")
            return
        where = (self._name, delivery.run_id, delivery.seq)
        if delivery.tries >= len(self._webhooks.delays_s):
            _log.error("webhook %s: run %s, event %d is given up: %s", *where, fault)
            await self.deliveries.settle(delivery, "dead")
            return
        delay_s = self._webhooks.delays_s[delivery.tries] * random.uniform(0.8, 1.2)
        _log.warning("webhook %s: run %s, event %d is tried again in %.0f s: %s", *where, delay_s, fault)
        await self.deliveries.put_off(delivery, time.time() + delay_s)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
