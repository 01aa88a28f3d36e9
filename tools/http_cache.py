"""Answers kept by HTTP's own rules (RFC 9111), in memory; hishel decides, this file keeps."""

import time
import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from email.utils import formatdate, mktime_tz, parsedate_tz
from typing import TypeAlias

import hishel
import httpx

from planloom.tools.http_message import HttpAnswer

MAX_BYTES = 50_000_000
"""Of all kept bodies of one tool source; what was used longest ago goes first."""
_PRIVATE = hishel.CacheOptions(shared=False, supported_methods=["GET", "HEAD"], allow_stale=False)
_SAFE = ("GET", "HEAD")

Owner: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    entry: hishel.Entry
    answer: HttpAnswer
    owner: Owner
    """The secrets it was asked with: nobody with others gets it."""


@dataclass(slots=True)
class HttpCache:
    """The kept answers of one tool source, from its opening to its closing."""

    max_bytes: int = MAX_BYTES
    _kept: OrderedDict[uuid.UUID, _Kept] = field(default_factory=OrderedDict[uuid.UUID, _Kept])
    _size: int = 0

    async def answer(
        self,
        method: str,
        url: str,
        headers: httpx.Headers,
        owner: Owner,
        send: Callable[[httpx.Headers], Awaitable[HttpAnswer]],
    ) -> HttpAnswer:
        """Answer a request from what is kept, or through `send`, which may get headers that ask for a change only."""
        request = hishel.Request(method, url, _inner(headers))
        found = {kept.entry.id: kept for kept in self._for(method, url, owner)}
        state: hishel.AnyState = hishel.IdleClient(options=_PRIVATE).next(
            request, [kept.entry for kept in found.values()]
        )
        last: HttpAnswer | None = None
        while True:
            match state:
                case hishel.CacheMiss() | hishel.NeedRevalidation():
                    sent = httpx.Headers(headers)
                    sent.update(dict(state.request.headers))
                    last = await send(sent)
                    state = state.next(_response(last))
                case hishel.NeedToBeUpdated(updating_entries=updated):
                    found |= {entry.id: self._refresh(found[entry.id], entry) for entry in updated}
                    state = state.next()
                case hishel.InvalidateEntries(entry_ids=ids):
                    self._drop(*ids)
                    state = state.next()
                case hishel.FromCache(entry=entry):
                    return self._used(found[entry.id])
                case hishel.StoreAndUse(response=response) if last is not None:
                    self._keep(_Kept(entry=_entry(request, response), answer=last, owner=owner))
                    return last
                case _ if last is not None:
                    return last
                case _:
                    raise RuntimeError(f"hishel went from {request.method} to {type(state).__name__}, sending nothing")

    def _for(self, method: str, url: str, owner: Owner) -> Iterator[_Kept]:
        """Yield what may answer a request, or be out of date after it."""
        for kept in self._kept.values():
            if kept.entry.request.url == url and (method not in _SAFE or kept.owner == owner):
                yield kept

    def _keep(self, new: _Kept) -> None:
        """Keep an answer in place of the last one to an equal request."""
        asked = new.entry.request
        for kept in [*self._for(asked.method, asked.url, new.owner)]:
            before = kept.entry.request
            if before.method == asked.method and dict(before.headers) == dict(asked.headers):
                self._drop(kept.entry.id)
        self._kept[new.entry.id] = new
        self._size += len(new.answer.body)
        while self._size > self.max_bytes:
            self._drop(next(iter(self._kept)))

    def _drop(self, *ids: uuid.UUID) -> None:
        for entry_id in ids:
            if gone := self._kept.pop(entry_id, None):
                self._size -= len(gone.answer.body)

    def _refresh(self, kept: _Kept, entry: hishel.Entry) -> _Kept:
        """Return what is kept under the headers that a 304 brought."""
        response = replace(entry.response, headers=_dated(entry.response.headers))
        kept = replace(kept, entry=replace(entry, response=response))
        if entry.id in self._kept:
            self._kept[entry.id] = kept
        return kept

    def _used(self, kept: _Kept) -> HttpAnswer:
        if kept.entry.id in self._kept:
            self._kept.move_to_end(kept.entry.id)
        return kept.answer


def _inner(headers: httpx.Headers) -> hishel.Headers:
    return hishel.Headers({name: headers.get_list(name) for name in headers})


def _response(answer: HttpAnswer) -> hishel.Response:
    return hishel.Response(answer.status, _dated(_inner(answer.headers)))


def _entry(request: hishel.Request, response: hishel.Response) -> hishel.Entry:
    return hishel.Entry(id=uuid.uuid4(), request=request, response=response)


def _dated(headers: hishel.Headers) -> hishel.Headers:
    """Return headers whose `Date` tells the age: hishel reads no `Age`, and takes an answer without `Date` for new."""
    now = time.time()
    age = headers.get("age", "").strip()
    born = now - min(int(age), 10**9) if age.isdecimal() and len(age) < 12 else now
    said = parsedate_tz(headers.get("date", ""))
    with suppress(ValueError, OverflowError):
        born = min(born, mktime_tz(said)) if said else born
    kept = {name: headers.get_list(name) or [] for name in headers if name.lower() not in ("age", "date")}
    return hishel.Headers({**kept, "date": formatdate(born, usegmt=True)})
