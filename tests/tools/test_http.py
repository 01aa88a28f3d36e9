import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio

from planloom.configs.spec import HttpSpec, ToolSpec
from planloom.core.errors import ConfigError, ToolError
from planloom.core.json import Json, JsonObject
from planloom.core.plan import ToolName
from planloom.tools.address import is_public
from planloom.tools.sandbox import Sandbox
from planloom.tools.toolbox import Toolbox

GET, REQUEST = ToolName("web.get"), ToolName("web.request")


@dataclass(slots=True)
class Seen:
    """One request as the server got it."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Server:
    """A real server on loopback that answers each path with fixed bytes."""

    port: int = 0
    answers: dict[str, bytes] = field(default_factory=dict[str, bytes])
    seen: list[Seen] = field(default_factory=list[Seen])
    drip: bytes = b""
    """Sent over and over after an answer, until the client hangs up."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                line, *rest = head.decode().strip().split("\r\n")
                headers = {k.lower(): v for k, _, v in (item.partition(": ") for item in rest)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                self.seen.append(Seen(line, headers, body))
                writer.write(self.answers.get(line.split()[1], answer(b"nothing here", status="404 Not Found")))
                await writer.drain()
                if b"Connection: close" in self.answers.get(line.split()[1], b""):
                    return
                while self.drip:
                    writer.write(self.drip)
                    await writer.drain()
                    await asyncio.sleep(0.01)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


def answer(body: bytes = b"", *, status: str = "200 OK", kind: str = "text/plain", extra: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
    return head.encode() + body


def redirect(target: str, status: str = "302 Found") -> bytes:
    return answer(status=status, extra=f"Location: {target}\r\n")


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    listening = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = listening.sockets[0].getsockname()[1]
    async with listening:
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
    other = Server()
    listening = await asyncio.start_server(other.serve, "127.0.0.1", 0)
    other.port = listening.sockets[0].getsockname()[1]
    server.answers["/a"] = redirect(f"{other.url}/b")
    other.answers["/b"] = answer(b"ok")
    async with listening, web(server.url, "GET /*", f"GET {other.url}/*", headers={"X-Key": "s3cret"}) as box:
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


PRIVATE = [
    "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "0x7f.1", "017700000001",
    "127.0.0.1.", "localhost", "LOCALHOST", "localhost.", "0.0.0.0", "0", "[::1]", "[::]", "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
    "[2001:0:7f00:1::]", "[fe80::1]", "[fc00::1]", "[fd00::1]", "[ff02::1]", "[fec0::1]", "10.0.0.1",
    "172.16.0.1", "192.168.0.1", "169.254.169.254", "[fd00:ec2::254]", "100.64.0.1", "224.0.0.1", "240.0.0.1",
    "255.255.255.255", "198.18.0.1", "192.0.2.1", "127.127.127.127", "①②⑦.0.0.1", "127。0。0。1", "%31%32%37.0.0.1",
]  # fmt: skip


@pytest.mark.parametrize("host", PRIVATE)
async def test_no_notation_of_a_private_address_is_reached(server: Server, host: str) -> None:
    allow = "GET http://*:" + str(server.port)
    async with web(None, allow, private=False, timeout_s=10) as box:
        with pytest.raises(ToolError) as caught:
            await box.call(GET, {"url": f"http://{host}:{server.port}/"})
    assert "longer than" not in str(caught.value)
    assert server.seen == []


async def test_a_redirect_to_a_private_address_is_refused_though_rules_allow_every_host(server: Server) -> None:
    server.answers["/a"] = redirect("http://169.254.169.254/latest")
    async with web(None, f"GET http://127.0.0.1:{server.port}/*", "GET http://*", private=False) as box:
        with pytest.raises(ToolError, match="not a public address"):
            await box.call(GET, {"url": f"{server.url}/a"})


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"])
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("FETCH /x", "unknown method 'FETCH'"),
        ("/x", "there is no base_url"),
        ("GET example.com", "expected /path or https://host/path"),
        ("GET ftp://example.com/", "expected /path or https://host/path"),
        ("GET https:///x", "expected a host"),
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
