"""Models asked through a provider's batch API, against the rehearsal server on a real port."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager

import httpx
import openai
import pytest
from support import WAIT_S, ServeModel

from planloom.configs.load import Workflow
from planloom.configs.spec import RungSpec
from planloom.core.errors import ConfigError, ModelError, PlanloomError
from planloom.core.outcome import FailureKind
from planloom.models.base import BatchNews, Reply, Request, Ticket
from planloom.models.gateway import Gateway, Rung

SOON = {"within": 30, "window": 0.05, "poll": 0.02}
SCRIPT = """
rehearsal: 1
rules:
  - {when: {node: late}, hang: true}
  - {when: {node: busy}, status: 503, error: too much at once}
  - {when: {node: wrong}, status: 400, error: no such thing}
  - {when: {node: slow}, text: at last, delay: 10s}
  - {text: "{{role}} {{node}} {{attempt}}", usage: {input: 1000, output: 100}}
"""


class Desk:
    """Keeps what it is told."""

    def __init__(self, *, leaving: bool = False) -> None:
        self.leaving = leaving
        self.news: list[BatchNews] = []
        self.heard = asyncio.Event()

    async def tell(self, news: BatchNews, tickets: Sequence[Ticket]) -> None:
        self.news.append(news)
        if news.batch_id:
            self.heard.set()

    @property
    def told(self) -> list[tuple[str, int, int]]:
        return [(news.status, news.done, news.total) for news in self.news]


@asynccontextmanager
async def rung_at(url: str, **batch: object) -> AsyncIterator[Rung]:
    spec = {"model": "openai:mini", "base_url": url, "price": {"input": 1, "output": 10}, "batch": {**SOON, **batch}}
    async with Gateway(env={"OPENAI_API_KEY": "k"}) as gateway:
        yield gateway.rung("slow", RungSpec.model_validate(spec))


async def batches(url: str) -> list[dict[str, object]]:
    async with httpx.AsyncClient(timeout=WAIT_S) as client:
        return (await client.get(f"{url}/batches")).json()["data"]


def ask(kit, node: str, desk: Desk, *, batch: str = "", call: str = "") -> Request:
    ticket = Ticket(call=call or f"call-{node}", work="", desk=desk, batch=batch)
    return kit.ask(node_id=node, attempt=2, ticket=ticket)


async def test_calls_made_at_about_the_same_time_share_a_batch_at_a_part_of_the_price(
    kit, serve_model: ServeModel
) -> None:
    server, desk = await serve_model(SCRIPT), Desk()
    async with rung_at(server.base_url) as rung:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(rung(ask(kit, f"n{i}", desk))) for i in range(3)]
        replies = [task.result() for task in tasks]
        assert [reply.text for reply in replies] == ["worker n0 2", "worker n1 2", "worker n2 2"]
        assert rung.cost(replies[0].usage) == pytest.approx((1000 * 1 + 100 * 10) / 1e6 / 2)
    (batch,) = await batches(server.base_url)
    assert batch["request_counts"] == {"total": 3, "completed": 3, "failed": 0}
    assert batch["metadata"] == {"planloom": desk.news[0].batch}
    assert (desk.told[0], desk.told[-1]) == (("collected", 0, 3), ("completed", 3, 3))
    assert desk.news[-1].batch_id == batch["id"]


async def test_what_goes_wrong_with_one_call_is_of_the_kind_it_would_be_at_once(kit, serve_model: ServeModel) -> None:
    server = await serve_model(SCRIPT)
    kinds: dict[str, FailureKind] = {}

    async def fail(rung: Rung, node: str) -> None:
        with pytest.raises(ModelError) as failed:
            await rung(ask(kit, node, Desk()))
        assert not failed.value.billed
        kinds[node] = failed.value.kind

    async with rung_at(server.base_url) as rung, asyncio.TaskGroup() as group:
        for node in ("late", "busy", "wrong"):
            group.create_task(fail(rung, node))
        assert (await rung(ask(kit, "fine", Desk()))).text == "worker fine 2"
    assert kinds == {"late": FailureKind.TIMEOUT, "busy": FailureKind.TRANSPORT, "wrong": FailureKind.REJECTED}
    assert [batch["status"] for batch in await batches(server.base_url)] == ["expired"]


async def test_a_batch_that_nobody_waits_for_any_more_is_cancelled_at_the_provider(
    kit, serve_model: ServeModel
) -> None:
    server = await serve_model(SCRIPT)
    states: list[object] = []
    async with rung_at(server.base_url) as rung:
        for desk in (Desk(), Desk(leaving=True)):
            async with asyncio.TaskGroup() as group:
                waiting = group.create_task(rung(ask(kit, "slow", desk)))
                await desk.heard.wait()
                waiting.cancel()
            states.append((await batches(server.base_url))[0]["status"])
    assert states == ["cancelled", "in_progress"]


async def test_who_leaves_a_batch_that_others_wait_in_takes_nothing_from_them(kit, serve_model: ServeModel) -> None:
    server, stays, leaves = await serve_model(SCRIPT), Desk(), Desk()
    async with rung_at(server.base_url) as rung, asyncio.TaskGroup() as group:
        waiting = group.create_task(rung(ask(kit, "slow", stays, call="other")))
        other = group.create_task(rung(ask(kit, "slow", leaves)))
        await leaves.heard.wait()
        other.cancel()
        await asyncio.wait([other])
        (batch,) = await batches(server.base_url)
        assert batch["status"] == "in_progress"
        assert stays.news[0].batch == leaves.news[0].batch
        waiting.cancel()
    assert [batch["status"] for batch in await batches(server.base_url)] == ["cancelled"]


async def test_a_run_whose_journal_is_away_takes_nothing_from_others_in_its_batch(kit, serve_model: ServeModel) -> None:
    class Lost(Desk):
        async def tell(self, news: BatchNews, tickets: Sequence[Ticket]) -> None:
            raise PlanloomError("the lease is lost")

    server = await serve_model(SCRIPT)
    async with rung_at(server.base_url) as rung, asyncio.TaskGroup() as group:
        lost = group.create_task(outcome_of(rung(ask(kit, "one", Lost()))))
        stays = group.create_task(outcome_of(rung(ask(kit, "two", Desk()))))
    assert (lost.result(), stays.result()) == ("the lease is lost", "worker two 2")
    assert [batch["request_counts"] for batch in await batches(server.base_url)] == [
        {"total": 1, "completed": 1, "failed": 0}
    ]


async def outcome_of(asked: Awaitable[Reply]) -> str:
    try:
        return (await asked).text
    except PlanloomError as exc:
        return str(exc)


async def test_the_time_that_an_answer_may_take_is_limited(kit, serve_model: ServeModel) -> None:
    server = await serve_model(SCRIPT)
    async with rung_at(server.base_url, within=0.2) as rung:
        with pytest.raises(ModelError) as failed:
            await rung(ask(kit, "slow", Desk()))
    assert (failed.value.kind, failed.value.billed) == (FailureKind.TIMEOUT, True)
    assert [batch["status"] for batch in await batches(server.base_url)] == ["cancelled"]


async def test_a_batch_whose_id_was_never_heard_is_found_by_its_name(kit, serve_model: ServeModel) -> None:
    server, first, second = await serve_model(SCRIPT), Desk(leaving=True), Desk()
    async with rung_at(server.base_url) as rung, asyncio.TaskGroup() as group:
        waiting = group.create_task(rung(ask(kit, "n", first)))
        await first.heard.wait()
        waiting.cancel()
    async with rung_at(server.base_url) as rung:
        reply = await rung(ask(kit, "n", second, batch=first.news[0].batch))
        assert reply.text == "worker n 2"
        assert len(server.requests) == 1
        again = await rung(ask(kit, "other", second, batch="a name that no provider has heard"))
        assert again.text == "worker other 2"
    assert len(await batches(server.base_url)) == 2


async def test_a_provider_that_refuses_the_batch_refuses_its_calls(kit) -> None:
    refusal = kit.http(401, {"error": {"message": "bad key"}})
    failed_batch = {"id": "b", "status": "failed", "errors": {"data": [{"message": "unknown model"}]}}
    async with kit.provider(refusal) as provider, rung_at(provider.url) as rung:
        with pytest.raises(ModelError, match="HTTP 401: bad key") as failed:
            await rung(ask(kit, "n", Desk()))
        assert failed.value.kind is FailureKind.REJECTED
    async with kit.provider(kit.http(200, {"id": "f"}), kit.http(200, failed_batch)) as provider:
        async with rung_at(provider.url) as rung:
            with pytest.raises(ModelError, match="not taken on: unknown model") as failed:
                await rung(ask(kit, "n", Desk()))
        assert failed.value.kind is FailureKind.REJECTED
        assert [hit.path for hit in provider.hits] == ["/v1/files", "/v1/batches"]


async def test_a_provider_that_is_away_for_a_moment_is_asked_again(kit) -> None:
    done = {"id": "b", "status": "completed", "output_file_id": "out"}
    line = b'{"custom_id": "call-n:worker:2:n", "response": {"status_code": 200, "body": %s}}'
    body = kit.http(200, kit.chat("here"))[-1000:].partition(b"\r\n\r\n")[2]
    answers = [
        kit.http(503, {"error": {"message": "away"}}),
        kit.http(200, {"id": "f"}),
        kit.http(502, {"error": {"message": "lost"}}),
        kit.http(200, {"data": [{**done, "metadata": {"planloom": "another"}}], "has_more": False}),
        kit.http(200, {**done, "status": "in_progress"}),
        kit.http(500, {"error": {"message": "away"}}),
        kit.http(200, done),
        kit.http(200, line % body),
    ]
    async with kit.provider(*answers) as provider, rung_at(provider.url) as rung:
        assert (await rung(ask(kit, "n", Desk()))).text == "here"


@pytest.mark.parametrize(("node", "within"), [("busy", 30), ("late", 30), ("slow", 0.5)])
async def test_lines_that_fail_in_one_batch_do_not_shut_the_way_to_the_provider(
    kit, serve_model: ServeModel, node: str, within: float
) -> None:
    server = await serve_model(SCRIPT)
    async with rung_at(server.base_url, within=within) as rung:
        async with asyncio.TaskGroup() as group:
            asked = (rung(ask(kit, node, Desk(), call=f"call-{number}")) for number in range(6))
            failing = [group.create_task(outcome_of(each)) for each in asked]
        assert not any("circuit open" in task.result() for task in failing)
        assert await outcome_of(rung(ask(kit, "fine", Desk()))) == "worker fine 2"


async def test_a_batch_that_cannot_be_made_counts_as_one_failure_of_the_provider_however_many_wait(kit) -> None:
    async def batch_of(rung: Rung, size: int) -> list[str]:
        async with asyncio.TaskGroup() as group:
            asked = (rung(ask(kit, "n", Desk(), call=f"call-{number}")) for number in range(size))
            tasks = [group.create_task(outcome_of(each)) for each in asked]
        return [task.result() for task in tasks]

    away = kit.http(503, {"error": {"message": "away"}})
    async with kit.provider(away) as provider, rung_at(provider.url) as rung:
        told = [await batch_of(rung, 6) for _ in range(5)]
        assert all("HTTP 503: away" in each for batch in told for each in batch)
        assert not any("circuit open" in each for batch in told[:4] for each in batch)
        asked = len(provider.hits)
        (refused,) = await batch_of(rung, 1)
    assert "circuit open" in refused
    assert len(provider.hits) == asked == 5 * 5  # each batch is tried five times


async def test_the_rehearsal_server_speaks_to_the_official_client(serve_model: ServeModel) -> None:
    server = await serve_model(SCRIPT)
    line = (
        b'{"custom_id": "%s", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "m", "messages": []}}'
    )
    async with openai.AsyncOpenAI(api_key="k", base_url=server.base_url) as client:
        file = await client.files.create(
            file=("in.jsonl", line % b"mine" + b"\n" + line % b"c:worker:1:late"), purpose="batch"
        )
        made = await client.batches.create(
            input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h", metadata={"a": "b"}
        )
        batch = await client.batches.retrieve(made.id)
        assert (batch.status, batch.metadata) == ("expired", {"a": "b"})
        assert batch.output_file_id
        assert batch.error_file_id
        assert '"custom_id": "mine"' in (await client.files.content(batch.output_file_id)).text
        assert '"batch_expired"' in (await client.files.content(batch.error_file_id)).text
        assert [item.id async for item in client.batches.list()] == [made.id]
        with pytest.raises(openai.NotFoundError):
            await client.batches.cancel("batch_none")


@pytest.mark.parametrize("place", ["planner: {model: slow}", "ladder: [slow]"])
def test_whoever_all_wait_for_is_not_asked_in_a_batch(place: str) -> None:
    with pytest.raises(ConfigError, match='answers at once, found "slow" with batch'):
        Workflow.from_text(
            f'version: 1\nname: w\nmodels: {{slow: {{model: "openai:m", batch: {{}}}}}}\n{place}', env={}
        )
