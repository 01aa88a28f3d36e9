import gzip
import json
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from webserver import Server, answer, redirect, serving

from planloom.configs.spec import HttpSpec, ToolSpec
from planloom.core.errors import ConfigError, ToolError
from planloom.core.json import Json, JsonObject
from planloom.core.plan import ToolName
from planloom.tools.allow import read_rule
from planloom.tools.http_body import BodyError, read_body
from planloom.tools.sandbox import Sandbox
from planloom.tools.toolbox import Toolbox

GET, REQUEST = ToolName("web.get"), ToolName("web.request")


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as made:
        yield made


@asynccontextmanager
async def web(
    base: str | None, *allow: str, private: bool = True, timeout_s: float = 20, headers: dict[str, str] | None = None
) -> AsyncIterator[Toolbox]:
    http = HttpSpec(base_url=base, allow=allow, private=private, headers=headers or {}, max_bytes=20_000)
    specs = {"web": ToolSpec(http=http, timeout=timeout_s)}
    async with Toolbox(specs, base_dir=Path("/"), sandbox=Sandbox()) as box:
        yield box


async def test_an_answer_has_status_url_type_and_json(server: Server) -> None:
    server.answers["/v1/x?q=a+b&n=1"] = answer(b'{"a": [1]}', kind="application/json", extra="Set-Cookie: a=b\r\n")
    async with web(server.url, "GET /v1/*") as box:
        found = await box.call(GET, {"url": "/v1/x", "query": {"q": "a b", "n": 1}})
    assert found == {
        "status": 200,
        "url": f"{server.url}/v1/x?q=a+b&n=1",
        "headers": {"content-type": "application/json"},
        "json": {"a": [1]},
    }


async def test_an_error_status_is_an_answer(server: Server) -> None:
    async with web(server.url) as box:
        found = await box.call(GET, {"url": "nowhere"})
    assert isinstance(found, dict)
    assert (found["status"], found["text"]) == (404, "nothing here")


async def test_a_body_is_sent_as_json_where_the_method_is_allowed(server: Server) -> None:
    server.answers["/items"] = answer(b"{}", status="201 Created", kind="application/json")
    async with web(server.url, "GET /items", "POST /items") as box:
        args: JsonObject = {"method": "POST", "url": "/items", "body": {"a": "ü"}}
        found = await box.call(REQUEST, args)
        assert box.tools[REQUEST].effect == "write"
    assert isinstance(found, dict)
    assert found["status"] == 201
    assert server.seen[0].line == "POST /items HTTP/1.1"
    assert json.loads(server.seen[0].body) == {"a": "ü"}


async def test_without_another_method_there_is_no_request(server: Server) -> None:
    async with web(server.url) as box:
        assert list(box.tools) == ["web.get"]


@pytest.mark.parametrize(
    "url",
    [
        "/v2/x",
        "/v1/../v2/x",
        "/v1/%2e%2e/v2/x",
        "/v1/%252e%252e/v2",
        "/v1/..%2fv2",
        "/v1/a%5c..%5cb",
        "/v1//x",
        "/v1/%0d%0aX: y",
        "https://127.0.0.1/v1/x",
        "http://127.0.0.1:1/v1/x",
        "http://localhost/v1/x",
        "http://user:pw@127.0.0.1/v1/x",
        "//127.0.0.1/v1/x",
        "ftp://127.0.0.1/v1/x",
        "file:///etc/passwd",
        "http:///v1/x",
        "http://[bad/v1/x",
        "http://127.0.0.1:99999/v1",
    ],
)
async def test_only_what_the_rules_allow_leaves_the_machine(server: Server, url: str) -> None:
    async with web(server.url, "GET /v1/*") as box:
        with pytest.raises(ToolError):
            await box.call(GET, {"url": url})
    assert server.seen == []


async def test_a_redirect_within_the_rules_is_followed(server: Server) -> None:
    server.answers |= {"/a": redirect("/b"), "/b": redirect(f"{server.url}/c", "307 Temporary"), "/c": answer(b"end")}
    async with web(server.url) as box:
        found = await box.call(GET, {"url": "/a"})
    assert isinstance(found, dict)
    assert (found["text"], found["url"]) == ("end", f"{server.url}/c")


@pytest.mark.parametrize(
    "target",
    [
        "/private",
        "http://localhost:{port}/v1/x",
        "https://example.com/v1/x",
        "//example.com/",
        "file:///etc/passwd",
        "/v1/%2e%2e/private",
        "http://[",
        "gopher://x",
    ],
)
async def test_a_redirect_that_the_rules_do_not_allow_is_refused(server: Server, target: str) -> None:
    server.answers["/v1/a"] = redirect(target.format(port=server.port))
    async with web(server.url, "GET /v1/*") as box:
        with pytest.raises(ToolError):
            await box.call(GET, {"url": "/v1/a"})
    assert len(server.seen) == 1


async def test_endless_redirects_end(server: Server) -> None:
    server.answers["/a"] = redirect("/a")
    async with web(server.url) as box:
        with pytest.raises(ToolError, match="more than 5 redirects"):
            await box.call(GET, {"url": "/a"})


async def test_headers_of_the_spec_are_sent_but_never_shown(server: Server) -> None:
    server.answers["/a"] = answer(b"ok")
    async with web(server.url, headers={"Authorization": "Bearer s3cret"}) as box:
        found = await box.call(GET, {"url": "/a"})
        shown = json.dumps([found, *box.catalogue()])
    assert server.seen[0].headers["authorization"] == "Bearer s3cret"
    assert "s3cret" not in shown


async def test_headers_of_the_spec_go_to_the_base_url_only(server: Server) -> None:
    async with serving() as other:
        server.answers["/a"] = redirect(f"{other.url}/b")
        other.answers["/b"] = answer(b"ok")
        async with web(server.url, "GET /*", f"GET {other.url}/*", headers={"X-Key": "s3cret"}) as box:
            await box.call(GET, {"url": "/a"})
            await box.call(GET, {"url": f"{other.url}/b"})
    assert "x-key" in server.seen[0].headers
    assert ["x-key" in seen.headers for seen in other.seen] == [False, False]


def bombs() -> dict[str, bytes]:
    zeros = gzip.compress(bytes(5_000_000))
    flat = zlib.compress(bytes(5_000_000))
    return {
        "plain": answer(b"a" * 20_001),
        "gzip": answer(zeros, extra="Content-Encoding: gzip\r\n"),
        "deflate": answer(flat, extra="Content-Encoding: deflate\r\n"),
        "gzip in gzip": answer(gzip.compress(zeros), extra="Content-Encoding: gzip, gzip\r\n"),
        "not asked for": answer(b"x", extra="Content-Encoding: br\r\n"),
        "broken gzip": answer(b"not gzip", extra="Content-Encoding: gzip\r\n"),
        "cut off": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nab",
        "not http": b"hello there\r\n\r\n",
        "endless header": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000,
        "huge chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n" + b"a" * 30_000,
    }


@pytest.mark.parametrize("kind", bombs())
async def test_too_large_or_broken_an_answer_is_an_error(server: Server, kind: str) -> None:
    server.answers["/a"] = bombs()[kind]
    async with web(server.url, timeout_s=5) as box:
        with pytest.raises(ToolError):
            await box.call(GET, {"url": "/a"})


@pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK\r\nContent-Length: 19000\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: "])
async def test_a_dripping_answer_ends_at_the_deadline(server: Server, start: bytes) -> None:
    server.answers["/a"], server.drip = start, b"a"
    async with web(server.url, timeout_s=0.3) as box:
        with pytest.raises(ToolError, match=r"took longer than 0\.3 s"):
            await box.call(GET, {"url": "/a"})


async def test_an_answer_that_is_not_text_is_named_but_not_shown(server: Server) -> None:
    server.answers["/a"] = answer(b"\x89PNG\0\0", kind="image/png")
    async with web(server.url) as box:
        found = await box.call(GET, {"url": "/a"})
    assert isinstance(found, dict)
    assert found["text"] == "(6 bytes that are not text)"


@pytest.mark.parametrize("body", [b"{broken", b"[" * 15_000, b"NaN"])
async def test_json_that_is_none_comes_as_text_or_null(server: Server, body: bytes) -> None:
    server.answers["/a"] = answer(body, kind="application/json")
    async with web(server.url) as box:
        found = await box.call(GET, {"url": "/a"})
    assert isinstance(found, dict)
    assert found.get("text", found.get("json")) in (body.decode(), None)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("FETCH /x", "unknown method 'FETCH'"),
        ("/x", "there is no base_url"),
        ("GET example.com", "expected /path or https://host/path"),
        ("GET ftp://example.com/", "expected /path or https://host/path"),
        ("GET https:///x", "with a host"),
        ("GET https://a.b/x?q=1", "no query"),
    ],
)
def test_a_rule_that_cannot_be_read_is_a_fault_of_the_workflow(rule: str, message: str) -> None:
    spec = ToolSpec(http=HttpSpec(allow=(rule,)))
    with pytest.raises(ConfigError, match=message) as caught:
        Toolbox({"web": spec}, base_dir=Path("/"), sandbox=Sandbox())
    assert caught.value.problems[0].field == "tools.web.http.allow[0]"


async def test_nothing_listening_is_a_plain_error() -> None:
    async with web("http://127.0.0.1:9") as box:
        with pytest.raises(ToolError, match=r"GET http://127\.0\.0\.1:9/x failed"):
            await box.call(GET, {"url": "/x"})


async def test_a_query_must_be_plain(server: Server) -> None:
    query: Json = {"a": [1]}
    async with web(server.url) as box:
        with pytest.raises(ToolError, match=r"arguments\.query\.a"):
            await box.call(GET, {"url": "/x", "query": query})


@pytest.mark.parametrize(
    ("rule", "url", "fits"),
    [
        ("GET https://[2606:4700::1111]:8443/a*", "https://[2606:4700::1111]:8443/ab", True),
        ("GET https://[2606:4700::1111]:8443/a*", "https://[2606:4700::1111]/ab", False),
        ("GET https://bücher.de/*", "https://xn--bcher-kva.de/a", True),
        ("GET https://xn--bcher-kva.de/*", "https://bücher.de/a", True),
        ("GET https://*.example.com/*", "https://a.example.com/a", True),
        ("GET https://*.example.com/*", "https://example.com.evil.org/a", False),
        ("GET https://a.b/[x]/*", "https://a.b/[x]/y", True),
        ("GET https://a.b/[x]/*", "https://a.b/x/y", False),
        ("GET https://a.b/*", "https://a.b:0/y", False),
        ("GET https://a.b/*", "https://a.b./y", False),
        ("GET https://a.b/*", "https://A.B/y", True),
        ("GET https://a.b/v1/*", "https://a.b/v10/y", False),
    ],
)
def test_only_a_star_stands_for_other_text(rule: str, url: str, fits: bool) -> None:
    assert read_rule(rule, None).allows("GET", httpx.URL(url)) is fits


SECRET = "s3cret/+value="
ECHOES = {
    "text": answer(f"you sent Bearer {SECRET}".encode()),
    "json": answer(json.dumps({"headers": {SECRET: [f"Bearer {SECRET}"]}}).encode(), kind="application/json"),
    "escaped json": answer(b'{"a": "\\u00733cret\\/+value="}', kind="application/json"),
    "quoted": answer(b"/x?t=s3cret%2F%2Bvalue%3D"),
    "type": answer(b"x", kind=f"text/{SECRET}"),
    "redirect": redirect(f"/end?token={SECRET}"),
    "bad redirect": redirect(f"http://[{SECRET}"),
    "forbidden redirect": redirect(f"https://example.com/{SECRET}"),
    "gzip that is none": answer(b"x", extra=f"Content-Encoding: {SECRET}\r\n"),
    "bad header": f"HTTP/1.1 200 OK\r\nContent-Length: {SECRET}\r\n\r\n".encode(),
    "bad line": f"HTTP/1.1 {SECRET}\r\n\r\n".encode(),
}


@pytest.mark.parametrize("kind", ECHOES)
async def test_a_secret_that_the_server_repeats_is_not_shown(server: Server, kind: str) -> None:
    server.answers |= {"/a": ECHOES[kind], f"/end?token={SECRET}": answer(b"end")}
    async with web(server.url, headers={"Authorization": f"Bearer {SECRET}"}) as box:
        try:
            seen = json.dumps(await box.call(GET, {"url": "/a"}))
        except ToolError as exc:
            seen = str(exc)
    assert server.seen[0].headers["authorization"] == f"Bearer {SECRET}"
    assert "s3cret" not in seen


async def test_a_redirect_that_carries_the_secret_to_another_host_is_refused(server: Server) -> None:
    async with serving() as other:
        server.answers["/a"] = redirect(f"{other.url}/b?token={SECRET}")
        headers = {"Authorization": f"Bearer {SECRET}"}
        async with web(server.url, "GET /*", f"GET {other.url}/*", headers=headers) as box:
            with pytest.raises(ToolError, match="another origin with a secret"):
                await box.call(GET, {"url": "/a"})
    assert other.seen == []


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"X-Key": "broken\nvalue"}, "headers.X-Key: expected printable ASCII"),
        ({"X-Key": "schlüssel"}, "headers.X-Key: expected printable ASCII"),
        ({"X Key": "a"}, "expected the name of a header"),
        ({"Host": "evil.example"}, "Host is set by the tool itself"),
        ({"transfer-encoding": "chunked"}, "is set by the tool itself"),
    ],
)
def test_a_header_that_cannot_be_sent_is_a_fault_of_the_workflow(headers: dict[str, str], message: str) -> None:
    spec = ToolSpec(http=HttpSpec(base_url="https://a.b", headers=headers))
    with pytest.raises(ConfigError, match=message) as caught:
        Toolbox({"web": spec}, base_dir=Path("/"), sandbox=Sandbox())
    assert not any(value in str(caught.value) for value in ("broken", "schlüssel", "evil", "chunked"))


@pytest.mark.parametrize("host", ["127.0.0.1:9", "localhost", "[::1]", "10.0.0.7"])
def test_a_base_url_that_could_never_be_reached_is_a_fault_of_the_workflow(host: str) -> None:
    spec = ToolSpec(http=HttpSpec(base_url=f"http://{host}"))
    with pytest.raises(ConfigError, match=r"base_url: .* is not a public address; only `private: true`"):
        Toolbox({"web": spec}, base_dir=Path("/"), sandbox=Sandbox())


@pytest.mark.parametrize("allow", [("GET https://*",), ("GET https://a.b/*", "GET https://c.d/*")])
def test_headers_without_one_host_to_send_them_to_are_a_fault_of_the_workflow(allow: tuple[str, ...]) -> None:
    spec = ToolSpec(http=HttpSpec(allow=allow, headers={"Authorization": "Bearer x"}))
    with pytest.raises(ConfigError, match="go to one origin only"):
        Toolbox({"web": spec}, base_dir=Path("/"), sandbox=Sandbox())


async def test_the_engines_key_goes_with_a_write_and_cannot_be_set(server: Server) -> None:
    http = HttpSpec(
        base_url=server.url, allow=("GET /*", "POST /*"), private=True, idempotency_header="Idempotency-Key"
    )
    server.answers["/a"] = answer(b"ok")
    async with Toolbox({"web": ToolSpec(http=http)}, base_dir=Path("/"), sandbox=Sandbox()) as box:
        assert "idempotency_key" not in json.dumps(box.catalogue())
        with pytest.raises(ToolError, match="no argument 'idempotency_key'"):
            await box.call(REQUEST, {"method": "POST", "url": "/a", "idempotency_key": "forged"})
        await box.call(REQUEST, {"method": "POST", "url": "/a"}, idempotency_key="k1")
        await box.call(GET, {"url": "/a"}, idempotency_key="k1")
    assert [seen.headers.get("idempotency-key") for seen in server.seen] == ["k1", None]


async def test_where_a_request_goes_is_control_and_its_body_is_data(server: Server) -> None:
    async with web(server.url, "GET /*", "POST /*") as box:
        assert box.tools[GET].controls == {"url", "query"}
        assert box.tools[REQUEST].controls == {"method", "url", "query"}


@pytest.mark.parametrize("parts", [[b"ab", b"c"], [b"abc"]])
async def test_gzip_in_pieces_and_members_is_unpacked_whole(parts: list[bytes]) -> None:
    packed = b"".join(map(gzip.compress, parts))

    async def drip() -> AsyncIterator[bytes]:
        for byte in packed:
            yield bytes([byte])

    assert await read_body(drip(), "gzip", 1000) == b"abc"


async def test_a_bomb_is_never_unpacked_past_the_cap() -> None:
    packed = gzip.compress(bytes(50_000_000), 1)

    async def once() -> AsyncIterator[bytes]:
        yield packed

    tracemalloc.start()
    try:
        with pytest.raises(BodyError, match="larger than 1000000 bytes, unpacked"):
            await read_body(once(), "gzip", 1_000_000)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


async def test_gzip_that_is_cut_off_is_an_error() -> None:
    async def once() -> AsyncIterator[bytes]:
        yield gzip.compress(b"a" * 1000)[:-5]

    with pytest.raises(BodyError, match="cut off"):
        await read_body(once(), "gzip", 10_000)
