"""What an HTTP tool keeps and asks for again, by HTTP's own rules."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import formatdate
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from webserver import Server, answer, redirect, serving

from planloom.configs.spec import HttpSpec, ToolSpec
from planloom.core.json import JsonObject
from planloom.core.plan import ToolName
from planloom.tools.http_cache import HttpCache
from planloom.tools.http_message import HttpAnswer
from planloom.tools.sandbox import Sandbox
from planloom.tools.toolbox import Toolbox

GET, REQUEST = ToolName("web.get"), ToolName("web.request")
ALICE, BOB = (("Authorization", "Bearer alice"),), (("Authorization", "Bearer bob"),)


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as made:
        yield made


@asynccontextmanager
async def web(server: Server, *, cache: bool = True) -> AsyncIterator[Toolbox]:
    http = HttpSpec(base_url=server.url, allow=("GET /*", "POST /*"), private=True, cache=cache)
    async with Toolbox({"web": ToolSpec(http=http)}, base_dir=Path("/"), sandbox=Sandbox()) as box:
        yield box


async def texts(box: Toolbox, *urls: str) -> list[object]:
    found = [await box.call(GET, {"url": url}) for url in urls]
    return [item["text"] for item in found if isinstance(item, dict)]


def kept(body: bytes, *lines: str) -> bytes:
    return answer(body, extra="".join(f"{line}\r\n" for line in lines))


AGO = formatdate(time.time() - 7200, usegmt=True)
LATER = formatdate(time.time() + 7200, usegmt=True)


@pytest.mark.parametrize(
    ("lines", "asked"),
    [
        (["Cache-Control: max-age=600"], 1),
        (["Cache-Control: private, max-age=600"], 1),
        ([f"Expires: {LATER}"], 1),
        ([f"Date: {LATER}", "Cache-Control: max-age=600"], 1),
        ([], 2),
        (["Cache-Control: no-store, max-age=600"], 2),
        (["Cache-Control: no-cache, max-age=600"], 2),
        (["Cache-Control: max-age=0"], 2),
        ([f"Date: {AGO}", "Cache-Control: max-age=600"], 2),
        (["Age: 601", "Cache-Control: max-age=600"], 2),
        (["Expires: 0"], 2),
        (["Vary: *", "Cache-Control: max-age=600"], 2),
    ],
)
async def test_the_server_says_how_long_an_answer_holds(server: Server, lines: list[str], asked: int) -> None:
    server.answers["/a"] = kept(b"x", *lines)
    async with web(server) as box:
        assert await texts(box, "/a", "/a") == ["x", "x"]
    assert len(server.seen) == asked


async def test_nothing_is_kept_unless_the_workflow_says_so(server: Server) -> None:
    server.answers["/a"] = kept(b"x", "Cache-Control: max-age=600")
    async with web(server, cache=False) as box:
        await texts(box, "/a", "/a")
    assert len(server.seen) == 2


async def test_nothing_is_kept_from_one_run_to_the_next(server: Server) -> None:
    server.answers["/a"] = kept(b"x", "Cache-Control: max-age=600")
    for _ in range(2):
        async with web(server) as box:
            await texts(box, "/a")
    assert len(server.seen) == 2


async def test_an_answer_that_has_not_changed_is_not_sent_again(server: Server) -> None:
    server.answers["/a"] = kept(b"old", 'ETag: "1"', "Cache-Control: no-cache")
    async with web(server) as box:
        assert await texts(box, "/a") == ["old"]
        server.answers["/a"] = b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\nCache-Control: max-age=600\r\n\r\n'
        assert await texts(box, "/a", "/a") == ["old", "old"]
    assert [seen.headers.get("if-none-match") for seen in server.seen] == [None, '"1"']


async def test_an_answer_that_has_changed_takes_the_place_of_the_old_one(server: Server) -> None:
    server.answers["/a"] = kept(b"old", f"Last-Modified: {AGO}", "Cache-Control: no-cache")
    async with web(server) as box:
        await texts(box, "/a")
        server.answers["/a"] = kept(b"new", "Cache-Control: max-age=600")
        assert await texts(box, "/a", "/a") == ["new", "new"]
    assert [seen.headers.get("if-modified-since") for seen in server.seen] == [None, AGO]


async def test_a_write_to_an_address_puts_what_is_kept_of_it_out_of_date(server: Server) -> None:
    server.answers["/a"] = kept(b"x", "Cache-Control: max-age=600")
    async with web(server) as box:
        await texts(box, "/a")
        args: JsonObject = {"method": "POST", "url": "/a", "body": 1}
        await box.call(REQUEST, args)
        await texts(box, "/a", "/a")
    assert [seen.line.split()[0] for seen in server.seen] == ["GET", "POST", "GET"]


async def test_a_kept_redirect_is_held_against_the_rules_again(server: Server) -> None:
    moved = redirect("/b", "301 Moved").replace(b"\r\n\r\n", b"\r\nCache-Control: max-age=600\r\n\r\n")
    server.answers |= {"/a": moved, "/b": kept(b"end", "Cache-Control: max-age=600")}
    async with web(server) as box:
        assert await texts(box, "/a", "/a", "/b") == ["end"] * 3
    assert len(server.seen) == 2


class Origin:
    """Answers a cache, and remembers what it was asked."""

    def __init__(self, **headers: str) -> None:
        self.headers, self.asked = headers, list[httpx.Headers]()

    async def __call__(self, sent: httpx.Headers) -> HttpAnswer:
        self.asked.append(sent)
        body = str(len(self.asked)).encode()
        return HttpAnswer(status=200, url=httpx.URL("https://a.b/"), headers=httpx.Headers(self.headers), body=body)


async def ask(cache: HttpCache, origin: Origin, owner: tuple[tuple[str, str], ...] = (), **headers: str) -> bytes:
    asked = httpx.Headers({**headers, **dict(owner)})
    return (await cache.answer("GET", "https://a.b/", asked, owner, origin)).body


async def test_nobody_gets_what_was_kept_for_other_secrets() -> None:
    cache, origin = HttpCache(), Origin(**{"Cache-Control": "public, max-age=600"})
    assert [await ask(cache, origin, owner) for owner in (ALICE, BOB, (), ALICE, BOB, ())] == [
        *(b"1", b"2", b"3"),
        *(b"1", b"2", b"3"),
    ]


async def test_requests_that_differ_where_the_answer_varies_are_kept_apart() -> None:
    cache, origin = HttpCache(), Origin(**{"Cache-Control": "max-age=600", "Vary": "Accept-Language"})
    found = [await ask(cache, origin, **{"Accept-Language": language}) for language in ("de", "en", "de", "en")]
    assert found == [b"1", b"2", b"1", b"2"]


async def test_what_was_used_longest_ago_makes_room() -> None:
    cache, origin = HttpCache(max_bytes=2), Origin(**{"Cache-Control": "max-age=600", "Vary": "X"})
    found = [await ask(cache, origin, X=x) for x in ("a", "b", "a", "c", "a", "b")]
    assert found == [b"1", b"2", b"1", b"3", b"1", b"4"]
