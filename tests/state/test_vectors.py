"""Entries with vectors in a real database of either kind: found by nearness, and apart as those found by words are."""

import math
import random
import struct
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from kept import entry
from older import turn_back
from postgres import Postgres

from planloom.core.memory import Memory
from planloom.state.journal import Journal
from planloom.state.memories import Memories
from planloom.state.vectors import Vector, has_pgvector

EAST, NORTH, NORTHEAST, WEST = (1.0, 0.0), (0.0, 2.0), (3.0, 3.0), (-1.0, 0.0)


@pytest.fixture(params=["sqlite", "postgresql", "pgvector"])
async def journal(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Journal]:
    place = str(tmp_path / "j.db") if request.param == "sqlite" else fresh(request, "pgvector")
    if request.param == "pgvector":
        extend(place, "CREATE EXTENSION vector")
    async with Journal(place) as opened:
        assert await opened.transact(has_pgvector) == (request.param == "pgvector")
        yield opened


def fresh(request: pytest.FixtureRequest, name: str) -> str:
    server: Postgres = request.getfixturevalue(name)
    return server.fresh()


def extend(place: str, statement: str) -> None:
    with psycopg.connect(place, autocommit=True) as connection:
        connection.execute(statement.encode())


async def keep(memories: Memories, item: Memory, values: tuple[float, ...] | None, model: str = "m") -> None:
    await memories.keep(item, max_entries=99)
    if values is not None:
        (kept,) = [memory for memory in await memories.all() if memory.id == item.id]
        await memories.place([(kept, Vector.of(model, values))])


async def found(memories: Memories, query: str, values: tuple[float, ...], *, model: str = "m") -> list[str]:
    near = Vector.of(model, values)
    return [memory.subject for memory in await memories.search(query, limit=9, near=near)]


async def test_what_is_near_is_found_without_a_word_in_common_and_what_is_not_near_is_not(journal: Journal) -> None:
    memories = Memories(journal, "w")
    for subject, values in [("east", EAST), ("north", NORTH), ("northeast", NORTHEAST), ("west", WEST)]:
        await keep(memories, entry(subject), values)
    assert await found(memories, "nothing", EAST) == ["east", "northeast"]
    assert await found(memories, "nothing", (1.0, 2.0)) == ["northeast", "north", "east"]
    assert await found(memories, "west", EAST) == ["west", "east", "northeast"]


async def test_words_and_vectors_together_beat_either_alone(journal: Journal) -> None:
    memories = Memories(journal, "w")
    await keep(memories, entry("harbour lamp harbour"), NORTH)
    await keep(memories, entry("lamp"), NORTHEAST)
    await keep(memories, entry("ship"), EAST)
    assert (await found(memories, "harbour lamp", EAST))[0] == "lamp"


async def test_vectors_of_another_model_or_length_are_not_compared(journal: Journal) -> None:
    memories = Memories(journal, "w")
    await keep(memories, entry("mine", at=1), EAST)
    await keep(memories, entry("other model", at=2), EAST, "other")
    await keep(memories, entry("longer", at=3), (1.0, 0.0, 0.0))
    await keep(memories, entry("none", at=4), None)
    assert await found(memories, "nothing", EAST) == ["mine"]
    waiting = await memories.without(Vector.of("m", EAST), limit=9)
    assert [(memory.subject, memory.vector_model) for memory in waiting] == [
        ("none", ""),
        ("longer", "m"),
        ("other model", "other"),
    ]


async def test_an_entry_that_is_replaced_loses_its_vector_and_a_late_one_is_not_placed(journal: Journal) -> None:
    memories = Memories(journal, "w")
    await keep(memories, entry("lamp", at=1), EAST)
    (old,) = await memories.all()
    await memories.keep(entry("lamp", at=2, text="new"), max_entries=9)
    assert await found(memories, "nothing", EAST) == []
    await memories.place([(old, Vector.of("m", EAST))])
    assert await found(memories, "nothing", EAST) == []


async def test_nearness_crosses_no_tenant_and_no_namespace_and_shows_nothing_untrusted(journal: Journal) -> None:
    places = [Memories(journal, scope, tenant) for scope in ("a", "b") for tenant in ("", "x", "y")]
    for number, memories in enumerate(places):
        await keep(memories, entry(f"number {number}"), EAST)
        await keep(memories, entry(f"hostile {number}", untrusted=("web.get",)), EAST)
    near, other = Vector.of("m", EAST), Vector.of("other", EAST)
    for number, memories in enumerate(places):
        shown = await memories.search("nothing", limit=99, near=near, trusted_only=True)
        assert [memory.subject for memory in shown] == [f"number {number}"]
        assert len(await memories.search("nothing", limit=99, near=near)) == 2
        sent = await memories.without(other, limit=99, trusted_only=True)
        assert [memory.subject for memory in sent] == [f"number {number}"]
        assert len(await memories.without(other, limit=99)) == 2
    stranger, theirs = Memories(journal, "a", "z"), await places[0].all()
    await stranger.place([(memory, other) for memory in theirs])
    assert {memory.vector_model for memory in await places[0].all()} == {"m"}


@pytest.mark.parametrize("values", [(), (0.0, 0.0), (math.nan, 1.0), (math.inf, 1.0)])
def test_numbers_without_a_direction_are_no_vector(values: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="expected a vector with a length"):
        Vector.of("m", values)


def test_a_packed_vector_is_as_near_as_the_vector_itself() -> None:
    east, between = Vector.of("m", EAST), Vector.of("m", NORTHEAST)
    assert len(between.packed) == 8
    assert east.cosine(struct.unpack("<2f", between.packed)) == pytest.approx(math.sqrt(0.5))


async def test_pgvector_can_come_and_go_and_finds_what_the_exact_cosine_in_process_finds(
    request: pytest.FixtureRequest,
) -> None:
    place, drawn = fresh(request, "pgvector"), random.Random(5)

    def anywhere() -> tuple[float, ...]:
        return tuple(drawn.gauss(0, 1) for _ in range(20))

    async with Journal(place) as journal:
        memories = Memories(journal, "w")
        entries = [entry(f"entry {number}") for number in range(150)]
        await memories.take_in([replace(item, namespace="w") for item in entries])
        await memories.place([(item, Vector.of("m", anywhere())) for item in await memories.all()])
        await keep(memories, entry("twice"), (1.0,) * 20)
        await keep(memories, entry("twice as new", at=2e9), (1.0,) * 20)
        queries = [(1.0,) * 20, *(anywhere() for _ in range(10))]
        in_process = [await found(memories, "nothing", query) for query in queries]
        extend(place, "CREATE EXTENSION vector")
        assert [await found(memories, "nothing", query) for query in queries] == in_process
        extend(place, "DROP EXTENSION vector")
        assert [await found(memories, "nothing", query) for query in queries] == in_process
    assert in_process[0][:2] == ["twice as new", "twice"]


async def test_vectors_of_an_older_journal_are_found_as_before(request: pytest.FixtureRequest) -> None:
    place = fresh(request, "pgvector")
    async with Journal(place) as journal:
        for subject, values in [("east", EAST), ("north", NORTH), ("northeast", NORTHEAST)]:
            await keep(Memories(journal, "w"), entry(subject), values)
    turn_back(place, "0009")
    async with Journal(place) as journal:
        assert await found(Memories(journal, "w"), "nothing", EAST) == ["east", "northeast"]
