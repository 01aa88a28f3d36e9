"""A provider that is down is not asked again by every call, and is found again when it is back."""

import asyncio
import socket
from dataclasses import dataclass

import pytest

from planloom.configs.spec import RungSpec
from planloom.core.errors import ModelError
from planloom.core.outcome import FailureKind
from planloom.models.breaker import Breaker
from planloom.models.faults import Fault
from planloom.models.rung import Rung

ERROR = {"error": {"message": "server on fire", "type": "x", "code": None}}
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def fault(status: int = 503) -> Fault:
    return Fault(FailureKind.TRANSPORT, "server on fire", status=status)


async def fail(breaker: Breaker, times: int = 1, status: int = 503) -> None:
    for _ in range(times):
        with pytest.raises(Fault, match="server on fire"):
            async with breaker.turn():
                raise fault(status)


async def refused(rung: Rung, kit) -> str:
    with pytest.raises(ModelError) as caught:
        await rung(kit.ask())
    assert caught.value.kind is FailureKind.TRANSPORT
    return caught.value.message


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(5, 60.0, 15.0, 120.0, clock)


async def test_five_failures_in_a_row_open_the_circuit(breaker: Breaker) -> None:
    await fail(breaker, 4)
    breaker.check()
    await fail(breaker)
    with pytest.raises(Fault, match=r"circuit open, next try in 15 s \(last: server on fire\)") as caught:
        breaker.check()
    assert (caught.value.kind, caught.value.retry, caught.value.lost) == (FailureKind.TRANSPORT, False, False)


async def test_an_answer_in_between_starts_the_count_again(breaker: Breaker) -> None:
    for _ in range(3):
        await fail(breaker, 4)
        breaker.close()
    breaker.check()


@pytest.mark.parametrize("status", [400, 401, 404, 409, 429])
async def test_an_answer_of_any_kind_shows_that_the_provider_is_there(breaker: Breaker, status: int) -> None:
    await fail(breaker, 4)
    await fail(breaker, status=status)
    await fail(breaker, 4)
    breaker.check()


async def test_failures_outside_the_window_do_not_count(breaker: Breaker, clock: Clock) -> None:
    await fail(breaker, 4)
    clock.now += 61
    await fail(breaker)
    breaker.check()


async def test_each_failed_probe_doubles_the_pause_up_to_two_minutes(breaker: Breaker, clock: Clock) -> None:
    await fail(breaker, 5)
    pauses: list[float] = []
    for _ in range(5):
        pauses.append(breaker.left_s)
        clock.now += breaker.left_s
        await fail(breaker)
    assert [*pauses, breaker.left_s] == [15, 30, 60, 120, 120, 120]


async def test_only_one_probe_goes_out_and_its_success_closes_the_circuit(breaker: Breaker, clock: Clock) -> None:
    await fail(breaker, 5)
    clock.now += 15
    async with breaker.turn():
        with pytest.raises(Fault, match="one call is finding out"):
            breaker.check()
        breaker.close()
    breaker.check()
    await fail(breaker, 5)
    assert breaker.left_s == 15


async def test_a_probe_that_is_cancelled_leaves_its_place_to_the_next(breaker: Breaker, clock: Clock) -> None:
    await fail(breaker, 5)
    clock.now += 15
    with pytest.raises(asyncio.CancelledError):
        async with breaker.turn():
            raise asyncio.CancelledError
    breaker.check()
    await fail(breaker)
    assert breaker.left_s == 30


async def test_calls_that_were_under_way_do_not_prolong_the_pause(breaker: Breaker, clock: Clock) -> None:
    async def slow() -> None:
        async with breaker.turn():
            await fail(breaker, 5)
            clock.now += 10
            raise fault()

    with pytest.raises(Fault):
        await slow()
    assert breaker.left_s == 5


async def test_a_dead_port_fails_fast_until_a_server_is_up_on_it(kit, clock: Clock) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    async with kit.gateway(clock=clock) as gateway:
        rung = gateway.rung("mini", RungSpec(model="openai:m", base_url=f"http://127.0.0.1:{port}/v1", retries=1))
        refusals = [await refused(rung, kit) for _ in range(4)]
        assert refusals[0].startswith(f"the connection to 127.0.0.1:{port} failed")
        assert "(after 1 retries)" in refusals[0]
        assert refusals[2].endswith("; circuit open, next try in 15 s")
        assert refusals[3].startswith(f"circuit open, next try in 15 s (last: the connection to 127.0.0.1:{port} ")
        async with kit.provider(kit.http(200, kit.chat()), port=port) as provider:
            assert "circuit open" in await refused(rung, kit)
            assert provider.connections == 0
            clock.now += 15
            assert (await rung(kit.ask())).text == "hello"
            assert (await rung(kit.ask())).text == "hello"
            assert len(provider.hits) == 2


async def test_calls_at_once_make_no_more_tries_than_fit_beside_each_other(kit) -> None:
    async with kit.provider(kit.http(503, ERROR)) as provider, kit.gateway() as gateway:
        rung = gateway.rung("mini", kit.spec(provider, max_parallel=8))
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(refused(rung, kit)) for _ in range(40)]
    assert len(provider.hits) <= 8 + 4
    assert sum(task.result().startswith("circuit open") for task in tasks) >= 32


async def test_streams_count_too(kit) -> None:
    async def half(writer: asyncio.StreamWriter) -> None:
        whole = kit.sse(kit.delta(content="first "), kit.delta(content="second"))
        writer.write(whole.replace(b"content-length: ", b"content-length: 9")[:-3])
        await writer.drain()

    async with kit.provider(half) as provider, kit.gateway() as gateway:
        rung = gateway.rung("mini", kit.spec(provider))
        for _ in range(6):
            with pytest.raises(ModelError) as caught:
                _ = [item async for item in rung.stream(kit.ask())]
    assert caught.value.message.startswith("circuit open")
    assert not caught.value.billed
    assert len(provider.hits) == 5


async def test_timeouts_in_a_row_open_the_circuit(kit) -> None:
    async def silence(writer: asyncio.StreamWriter) -> None:
        while not writer.is_closing():
            await asyncio.sleep(0.02)

    async with kit.provider(silence) as provider, kit.gateway() as gateway:
        rung = gateway.rung("mini", kit.spec(provider, timeout=0.5))
        for _ in range(5):
            with pytest.raises(ModelError, match="no complete reply"):
                await rung(kit.ask())
        assert (await refused(rung, kit)).startswith("circuit open")
    assert len(provider.hits) == 5


async def test_a_server_that_fails_on_formats_only_is_still_learned_while_the_circuit_is_open(kit) -> None:
    bad, good = kit.http(500, ERROR), kit.http(200, kit.chat('{"n": 1}'))
    async with kit.provider(*[bad] * 5, good) as provider, kit.gateway() as gateway:
        rung = gateway.rung("mini", kit.spec(provider, retries=10, structured="auto"))
        assert (await rung(kit.ask(schema=SCHEMA))).text == '{"n": 1}'
        assert (await rung(kit.ask(schema=SCHEMA))).text == '{"n": 1}'
    assert [hit.body["response_format"]["type"] for hit in provider.hits] == ["json_schema"] * 5 + ["json_object"] * 2
