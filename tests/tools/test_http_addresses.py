"""No notation, name, answer of DNS or redirect leads an HTTP tool to an address that is not public."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpcore
import httpx
import pytest
from webserver import answer, redirect, serving

from planloom.configs.spec import HttpSpec, ToolSpec
from planloom.core.errors import ToolError
from planloom.core.plan import ToolName
from planloom.tools.address import CheckedBackend, PrivateAddressError, is_public
from planloom.tools.allow import read_rule
from planloom.tools.http_client import HttpClient
from planloom.tools.http_message import HttpAnswer, HttpRequest
from planloom.tools.sandbox import Sandbox
from planloom.tools.toolbox import Toolbox

GET = ToolName("web.get")

ADDRESSES = {
    "dotted": "127.0.0.1", "other loopback": "127.127.127.127", "two parts": "127.1", "three parts": "127.0.1",
    "decimal": "2130706433", "hex": "0x7f000001", "octal": "017700000001", "octal part": "0177.0.0.1",
    "hex part": "0x7f.1", "hex parts": "0x7f.0x0.0x0.0x1", "upper hex": "0X7F000001", "mixed": "0x7f.0.1",
    "long octal": "0000177.0.0.01", "long hex": "0x000000007f.1", "trailing dot": "127.0.0.1.",
    "overflow": "4294967297", "zero": "0", "zeros": "0.0.0.0", "zero hex": "0x0", "this network": "0.1.2.3",
    "localhost": "localhost", "upper localhost": "LOCALHOST", "localhost dot": "localhost.",
    "sub localhost": "a.localhost", "localdomain": "localhost.localdomain", "own name": socket.gethostname(),
    "v6 loopback": "[::1]", "v6 long": "[0:0:0:0:0:0:0:1]", "v6 zeros": "[0000::0001]", "v6 any": "[::]",
    "v6 zone": "[fe80::1%25lo]", "v6 zone bare": "[fe80::1%lo]", "v6 loopback zone": "[::1%25lo]",
    "mapped": "[::ffff:127.0.0.1]", "mapped hex": "[::ffff:7f00:1]", "mapped long": "[0:0:0:0:0:ffff:127.0.0.1]",
    "mapped upper": "[::FFFF:7F00:0001]", "mapped any": "[::ffff:0.0.0.0]", "mapped metadata": "[::ffff:a9fe:a9fe]",
    "mapped private": "[::ffff:10.0.0.1]", "compatible": "[::127.0.0.1]", "compatible hex": "[::7f00:1]",
    "translated": "[::ffff:0:127.0.0.1]", "nat64": "[64:ff9b::127.0.0.1]", "nat64 hex": "[64:ff9b::7f00:1]",
    "nat64 private": "[64:ff9b::a00:1]", "nat64 metadata": "[64:ff9b::a9fe:a9fe]", "nat64 local": "[64:ff9b:1::7f00:1]",
    "6to4": "[2002:7f00:1::]", "6to4 private": "[2002:c0a8:1::1]", "6to4 public": "[2002:808:808::1]",
    "teredo": "[2001:0:7f00:1::]", "isatap": "[2a00:1450::5efe:7f00:1]", "isatap global": "[2a00::200:5efe:a00:1]",
    "link local v6": "[fe80::1]", "unique local": "[fc00::1]", "unique local fd": "[fd00::1]",
    "site local": "[fec0::1]", "multicast v6": "[ff02::1]", "multicast v6 global": "[ff0e::1]",
    "documentation v6": "[2001:db8::1]", "documentation v6 new": "[3fff::1]", "discard": "[100::1]",
    "segment routing": "[5f00::1]", "orchid": "[2001:20::1]", "benchmark v6": "[2001:2::1]",
    "private 10": "10.0.0.1", "private 10 decimal": "167772161", "private 172": "172.16.0.1",
    "private 172 top": "172.31.255.255", "private 192": "192.168.0.1", "private 192 hex": "0xc0a80001",
    "cgnat": "100.64.0.1", "cgnat top": "100.127.255.254", "link local": "169.254.0.1",
    "metadata": "169.254.169.254", "metadata decimal": "2852039166", "metadata hex": "0xa9fea9fe",
    "metadata octal": "0251.0376.0251.0376", "metadata short": "169.254.43518", "metadata ecs": "169.254.170.2",
    "metadata v6": "[fd00:ec2::254]", "metadata gcp v6": "[fd20:ce::254]", "metadata alibaba": "100.100.100.200",
    "metadata oracle": "192.0.0.192", "metadata azure": "168.63.129.16", "protocols": "192.0.0.8",
    "test net": "192.0.2.1", "test net 2": "198.51.100.1", "test net 3": "203.0.113.1", "benchmark": "198.18.0.1",
    "6to4 relay": "192.88.99.1", "multicast": "224.0.0.1", "multicast ssdp": "239.255.255.250",
    "reserved": "240.0.0.1", "broadcast": "255.255.255.255",
    "circled digits": "①②⑦.0.0.1", "fullwidth digits": "１２７.0.0.1", "fullwidth dots": "127．0．0．1",
    "ideographic dots": "127。0。0。1", "fullwidth name": "ｌｏｃａｌｈｏｓｔ", "soft hyphen": "local\u00adhost",
    "escaped digits": "%31%32%37.0.0.1", "escaped dots": "127%2e0%2e0%2e1",
}  # fmt: skip
URLS = {
    "userinfo": "http://example.com@127.0.0.1:{port}/", "password": "http://a:b@127.0.0.1:{port}/",
    "userinfo encoded": "http://example.com%40127.0.0.1:{port}/", "empty userinfo": "http://@127.0.0.1:{port}/",
    "backslash userinfo": "http://example.com\\@127.0.0.1:{port}/", "backslash host": "http://127.0.0.1:{port}\\@a.b/",
    "backslashes": "http:\\\\127.0.0.1:{port}\\", "fragment": "http://127.0.0.1:{port}#@example.com/",
    "one slash": "http:/127.0.0.1:{port}/", "no slash": "http:127.0.0.1:{port}/", "three": "http:///127.0.0.1:{port}/",
    "no scheme": "//127.0.0.1:{port}/", "other scheme": "ftp://127.0.0.1:{port}/", "gopher": "gopher://127.0.0.1:{port}/",
    "file": "file:///etc/passwd", "data": "data:text/plain,hi", "upper scheme": "HTTP://127.0.0.1:{port}/",
    "leading space": " http://127.0.0.1:{port}/", "tab": "http://127.0\t.0.1:{port}/", "null": "http://127.0.0.1\0:{port}/",
    "line break": "http://127.0.0.1:{port}/\r\nX: y", "break in host": "http://a.b\r\nHost: x:{port}/",
    "space in host": "http://127.0.0.1 a.b:{port}/", "comma": "http://127.0.0.1,a.b:{port}/",
    "dots": "http://127.0.0.1:{port}/%2e%2e/", "double dots": "http://127.0.0.1:{port}/%252e%252e/x",
    "slashes": "http://127.0.0.1:{port}//x", "matrix": "http://127.0.0.1:{port}/..;a=b/x",
    "encoded slash": "http://127.0.0.1:{port}/a%2fb", "encoded backslash": "http://127.0.0.1:{port}/a%5cb",
    "brackets": "http://[127.0.0.1]:{port}/", "unclosed": "http://[::1:{port}/", "v6 in userinfo": "http://[::1]@127.1:{port}/",
}  # fmt: skip


@dataclass
class Canary:
    """Listens on every address of this machine and counts who comes."""

    port: int = 0
    callers: list[object] = field(default_factory=list[object])

    def caught(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.callers.append(writer.get_extra_info("sockname"))
        writer.close()


@asynccontextmanager
async def listening() -> AsyncIterator[Canary]:
    canary = Canary()
    both = await asyncio.start_server(canary.caught, "::", 0)
    canary.port = both.sockets[0].getsockname()[1]
    v4 = await asyncio.start_server(canary.caught, "0.0.0.0", canary.port)
    async with both, v4:
        yield canary


def own_addresses() -> list[str]:
    """Addresses of this machine on its networks, as hosts of a URL."""
    found = {str(info[4][0]) for info in socket.getaddrinfo(socket.gethostname(), None)}
    return [f"[{address}]" if ":" in address else address for address in sorted(found)]


def test_the_table_is_as_long_as_it_should_be() -> None:
    assert len(set(ADDRESSES.values()) | set(URLS.values())) >= 130


async def test_the_canary_hears_who_comes() -> None:
    async with listening() as canary:
        for host in ("127.0.0.1", "::1", *(own.strip("[]") for own in own_addresses())):
            _, writer = await asyncio.open_connection(host, canary.port)
            writer.close()
            await writer.wait_closed()
        while len(canary.callers) < 2 + len(own_addresses()):
            await asyncio.sleep(0)


async def test_no_notation_of_an_address_and_no_trick_of_a_url_reaches_this_machine() -> None:
    async with listening() as canary:
        urls = {name: f"http://{host}:{canary.port}/" for name, host in ADDRESSES.items()}
        urls |= {name: url.format(port=canary.port) for name, url in URLS.items()}
        urls |= {f"own {host}": f"http://{host}:{canary.port}/" for host in own_addresses()}
        rules = (f"GET http://*:{canary.port}", "GET http://*", "GET https://*")
        spec = ToolSpec(http=HttpSpec(allow=rules, max_bytes=1000), timeout=10)
        refused: dict[str, str] = {}
        async with Toolbox({"web": spec}, base_dir=Path("/"), sandbox=Sandbox()) as box:
            for name, url in urls.items():
                try:
                    await box.call(GET, {"url": url})
                except ToolError as exc:
                    refused[name] = exc.message
    assert [name for name in urls if name not in refused] == []
    assert [name for name, message in refused.items() if "longer than" in message] == []
    assert canary.callers == []


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "1.1.1.1", "100.63.0.1", "172.32.0.1", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"],
)
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(address)


PUBLIC = "93.184.215.14"


@dataclass
class Wan(httpcore.AsyncNetworkBackend):
    """The internet as far as this machine can play it: `PUBLIC` is a server here, other addresses are themselves."""

    port: int
    asked: list[str] = field(default_factory=list[str])
    seen_as: str = PUBLIC

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        self.asked.append(host)
        real = httpcore.AnyIOBackend()
        if host != PUBLIC:
            return await real.connect_tcp(host, port, timeout)
        return Far(await real.connect_tcp("127.0.0.1", self.port, timeout), self.seen_as)


@dataclass
class Far(httpcore.AsyncNetworkStream):
    """A connection that says it leads to another address than it does."""

    stream: httpcore.AsyncNetworkStream
    address: str

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        return await self.stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        await self.stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self.stream.aclose()

    def get_extra_info(self, info: str) -> object:
        return (self.address, 80) if info == "server_addr" else self.stream.get_extra_info(info)


@dataclass
class Dns:
    """Answers each question with the next of its answers, and the last one for ever."""

    answers: list[list[str]]
    questions: int = 0

    async def __call__(self, host: str, port: int) -> list[str]:
        if host != "site.test":
            return [host.strip("[]")]
        self.questions += 1
        return self.answers[min(self.questions, len(self.answers)) - 1]


@asynccontextmanager
async def visiting(wan: Wan, dns: Dns, *ports: int) -> AsyncIterator[Callable[[str], Awaitable[HttpAnswer]]]:
    """A client whose rules allow everything, so that only the addresses stand between it and this machine."""
    backend = CheckedBackend(private=False, resolve=dns, inner=wan)
    rules = [read_rule(f"GET http://*:{port}/*", None) for port in (wan.port, 80, *ports)]
    client = HttpClient("web", HttpSpec(), rules, None, backend)
    await client.open(4)
    try:
        yield lambda url: client.send(HttpRequest(method="GET", url=httpx.URL(url)))
    finally:
        await client.close()


def literal(host: str) -> bool:
    try:
        socket.inet_pton(socket.AF_INET6 if "[" in host else socket.AF_INET, host.strip("[]"))
    except OSError:
        return False
    return True


async def test_no_redirect_leads_from_a_public_server_to_an_address_that_is_not() -> None:
    hosts = {name: host for name, host in ADDRESSES.items() if literal(host)}
    assert len(hosts) >= 60
    async with (
        listening() as canary,
        serving() as site,
        visiting(wan := Wan(site.port), Dns([[PUBLIC]]), canary.port) as get,
    ):
        targets = {name: f"http://{host}:{canary.port}/" for name, host in hosts.items()}
        targets |= {f"own {host}": f"http://{host}:{canary.port}/" for host in own_addresses()}
        targets |= {name: url.format(port=canary.port) for name, url in URLS.items() if name != "one slash"}
        reached: list[str] = []
        said: list[str] = []
        for name, target in targets.items():
            site.answers["/a"] = redirect(target.encode("ascii", "replace").decode().translate({13: "%0D", 10: "%0A"}))
            try:
                found = await get(f"http://site.test:{site.port}/a")
            except ToolError as exc:
                said.append(exc.message)
                continue
            reached += [name] if found.status != 404 else []  # a path of the same site is no escape
        assert reached == []
        assert sum("which is not a public address" in message for message in said) >= 60
        assert set(wan.asked) == {PUBLIC}
    assert len(site.seen) >= len(targets)
    assert canary.callers == []


async def test_a_name_that_turns_private_after_it_was_checked_is_not_asked_again() -> None:
    async with listening() as canary, serving() as site:
        site.answers["/"] = answer(b"public", extra="Connection: close\r\n")
        wan, dns = Wan(site.port), Dns([[PUBLIC], ["127.0.0.1"]])
        url = f"http://site.test:{site.port}/"
        async with visiting(wan, dns, canary.port) as get:
            assert (await get(url)).body == b"public"
            assert (dns.questions, wan.asked) == (1, [PUBLIC])
            for rebound in (url, f"http://site.test:{canary.port}/"):
                with pytest.raises(ToolError, match=r"leads to 127\.0\.0\.1, which is not a public address"):
                    await get(rebound)
    assert (dns.questions, wan.asked, canary.callers) == (3, [PUBLIC], [])


@pytest.mark.parametrize("other", ["127.0.0.1", "10.0.0.1", "::1", "fd00::1", "169.254.169.254", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("first", [True, False])
async def test_one_private_address_among_public_ones_is_one_too_many(other: str, first: bool) -> None:
    wan = Wan(9)
    async with visiting(wan, Dns([[other, PUBLIC] if first else [PUBLIC, other]])) as get:
        with pytest.raises(ToolError, match="not a public address"):
            await get("http://site.test:9/")
    assert wan.asked == []


@pytest.mark.parametrize("seen_as", ["127.0.0.1", "10.0.0.1", "fd00::1"])
async def test_a_connection_that_ended_elsewhere_than_it_was_sent_carries_nothing(seen_as: str) -> None:
    async with serving() as site, visiting(Wan(site.port, seen_as=seen_as), Dns([[PUBLIC]])) as get:
        with pytest.raises(ToolError, match="not an address of another machine"):
            await get(f"http://site.test:{site.port}/")
    assert site.seen == []


async def test_a_unix_socket_is_refused() -> None:
    with pytest.raises(PrivateAddressError):
        await CheckedBackend(private=False).connect_unix_socket("/run/docker.sock")
