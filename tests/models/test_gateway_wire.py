"""Faults below the reply: pauses, sizes, certificates, streams that stop."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from planloom.core.errors import ModelError
from planloom.core.outcome import FailureKind
from planloom.models.base import Reply

ERROR = {"error": {"message": "slow down", "type": "x", "code": None}}
SSE = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"


async def failure(call: AsyncIterator[str | Reply]) -> ModelError:
    with pytest.raises(ModelError) as caught:
        _ = [item async for item in call]
    return caught.value


async def test_a_retry_waits_as_many_seconds_as_the_server_asks(kit) -> None:
    busy = kit.http(429, ERROR, retry_after="0.2")
    async with kit.provider(busy, kit.http(200, kit.chat())) as provider, kit.gateway() as gateway:
        await gateway.rung("mini", kit.spec(provider))(kit.ask())
    first, second = provider.hits
    assert second.at - first.at >= 0.19


async def test_a_retry_waits_until_the_date_the_server_names(kit) -> None:
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
    busy = kit.http(429, ERROR, retry_after=format_datetime(until, usegmt=True))
    async with kit.provider(busy, kit.http(200, kit.chat())) as provider, kit.gateway() as gateway:
        await gateway.rung("mini", kit.spec(provider))(kit.ask())
    assert provider.hits[1].at >= until.timestamp() - 0.01


async def test_a_limit_that_stays_is_named_with_the_retries_made(kit) -> None:
    async with kit.provider(kit.http(429, ERROR)) as provider, kit.gateway() as gateway:
        rung = gateway.rung("mini", kit.spec(provider, retries=3))
        for _ in range(3):
            with pytest.raises(ModelError, match=r"answered HTTP 429: slow down \(after 3 retries\)$") as caught:
                await rung(kit.ask())
    assert caught.value.kind is FailureKind.TRANSPORT
    assert not caught.value.billed
    assert len(provider.hits) == 12


async def test_a_stream_that_stalls_ends_at_the_deadline(kit) -> None:
    async def stall(writer: asyncio.StreamWriter) -> None:
        writer.write(SSE + kit.sse(kit.delta(content="first")).partition(b"\r\n\r\n")[2])
        await writer.drain()
        while not writer.is_closing():
            await asyncio.sleep(0.02)

    async with kit.provider(stall) as provider, kit.gateway() as gateway:
        error = await failure(gateway.rung("mini", kit.spec(provider, timeout=2)).stream(kit.ask()))
    assert (error.kind, error.billed) == (FailureKind.TIMEOUT, True)
    assert len(provider.hits) == 1


async def test_a_stream_of_nothing_may_have_been_billed(kit) -> None:
    async with kit.provider(kit.sse("[DONE]")) as provider, kit.gateway() as gateway:
        error = await failure(gateway.rung("mini", kit.spec(provider)).stream(kit.ask()))
    assert (error.kind, error.billed) == (FailureKind.TRANSPORT, True)
    assert len(provider.hits) == 1


@pytest.mark.parametrize("said", [True, False], ids=["announced", "chunk by chunk"])
async def test_a_huge_reply_is_not_read_to_its_end(kit, said: bool) -> None:
    sent = 0

    async def flood(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        length = b"content-length: 500000000\r\n" if said else b""
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n" + length + b"\r\n")
        while sent < 500_000_000:
            writer.write(b" " * 100_000)
            await writer.drain()
            sent += 100_000

    async with kit.provider(flood) as provider, kit.gateway(max_reply_bytes=1_000_000) as gateway:
        rung = gateway.rung("mini", kit.spec(provider))
        with pytest.raises(ModelError, match=r"the reply of 127.0.0.1:\d+ is longer than 1000000 bytes") as caught:
            await rung(kit.ask())
    assert (caught.value.kind, caught.value.billed) == (FailureKind.LENGTH, True)
    assert len(provider.hits) == 1
    assert sent < 100_000_000


async def test_a_huge_stream_is_not_read_to_its_end(kit) -> None:
    async def flood(writer: asyncio.StreamWriter) -> None:
        chunk = kit.sse(kit.delta(content="x" * 10_000)).partition(b"\r\n\r\n")[2]
        writer.write(SSE)
        while not writer.is_closing():
            writer.write(chunk)
            await writer.drain()

    async with kit.provider(flood) as provider, kit.gateway(max_reply_bytes=300_000) as gateway:
        error = await failure(gateway.rung("mini", kit.spec(provider)).stream(kit.ask()))
    assert (error.kind, error.billed) == (FailureKind.LENGTH, True)
    assert "longer than 300000 bytes" in error.message


async def test_a_reply_is_not_unpacked_when_it_comes_compressed_unasked(kit) -> None:
    packed = kit.http(200, b"\x1f\x8b", content_encoding="gzip")
    async with kit.provider(packed) as provider, kit.gateway() as gateway:
        with pytest.raises(ModelError, match="compressed with 'gzip', which was not asked for") as caught:
            await gateway.rung("mini", kit.spec(provider))(kit.ask())
    assert caught.value.kind is FailureKind.REJECTED
    assert provider.hits[0].headers["accept-encoding"] == "identity"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that nobody signed but itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    pem, key = folder / "cert.pem", folder / "key.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subprocess.run([*made, "-days", "2", *subject, "-keyout", key, "-out", pem], check=True, capture_output=True)
    return pem, key


@pytest.fixture
def tls(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


async def test_a_certificate_that_nobody_trusts_fails_at_once(kit, tls: ssl.SSLContext) -> None:
    async with kit.provider(kit.http(200, kit.chat()), tls=tls) as provider, kit.gateway() as gateway:
        with pytest.raises(ModelError, match="certificate verify failed: self-signed certificate") as caught:
            await gateway.rung("mini", kit.spec(provider))(kit.ask())
    assert caught.value.kind is FailureKind.REJECTED
    assert not caught.value.billed
    assert len(provider.hits) == 0


async def test_a_certificate_of_ones_own_is_trusted_through_the_environment(
    kit, tls: ssl.SSLContext, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    async with kit.provider(kit.http(200, kit.chat()), tls=tls) as provider, kit.gateway() as gateway:
        assert (await gateway.rung("mini", kit.spec(provider))(kit.ask())).text == "hello"


@pytest.mark.parametrize(
    ("status", "code", "text"),
    [
        (401, "invalid_api_key", "Your API key has expired"),
        (404, "model_not_found", "The model `gpt-9` does not exist"),
        (400, "context_length_exceeded", "This model's maximum context length is 8192 tokens"),
    ],
)
async def test_what_only_the_user_can_mend_fails_at_once_in_the_providers_words(kit, status, code, text) -> None:
    body = {"error": {"message": text, "type": "invalid_request_error", "code": code}}
    async with kit.provider(kit.http(status, body)) as provider, kit.gateway() as gateway:
        with pytest.raises(ModelError) as caught:
            await gateway.rung("mini", kit.spec(provider))(kit.ask(schema={"type": "object"}))
    assert caught.value.kind is FailureKind.REJECTED
    assert caught.value.message.endswith(f"answered HTTP {status}: {text} [{code}]")
    assert not caught.value.billed
    assert len(provider.hits) == 1
