"""Entries in a real database of either kind: kept, found, pushed out, forgotten, apart for each tenant."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from postgres import Postgres

from planloom.core.memory import Memory, MemoryKind, Origin, identify
from planloom.state.journal import Journal
from planloom.state.memories import Memories

ORIGIN = Origin(run_id="r1", workflow="w", node_id="n", input_digest="d", model="m", checks=("expr: x",))


def entry(
    subject: str,
    text: str = "text",
    *,
    at: float = 1e9,
    kind: MemoryKind = "fact",
    untrusted: tuple[str, ...] = (),
    expires_at: float | None = None,
    origin: Origin = ORIGIN,
) -> Memory:
    return Memory(
        id=identify(kind, subject, trusted=not untrusted),
        kind=kind,
        subject=subject,
        text=text,
        value={"told": text},
        origin=origin,
        at=at,
        untrusted=untrusted,
        expires_at=expires_at,
    )


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "j.db")
    server: Postgres = request.getfixturevalue("postgres")
    return server.fresh()


@pytest.fixture
async def journal(place: str) -> AsyncIterator[Journal]:
    async with Journal(place) as opened:
        yield opened


def subjects(found: list[Memory]) -> list[str]:
    return [memory.subject for memory in found]


async def test_an_entry_comes_back_as_it_was_kept(journal: Journal) -> None:
    memories = Memories(journal, "w")
    kept = entry("größe of the moon \0", "naïve 月", untrusted=("web.get",), expires_at=time.time() + 99)
    assert await memories.keep(kept, max_entries=9)
    (found,) = await memories.all()
    assert found.subject == "größe of the moon \ufffd"
    assert (found.id, found.value, found.origin, found.untrusted) == (kept.id, kept.value, ORIGIN, ("web.get",))
    assert (found.at, found.expires_at, found.namespace) == (kept.at, kept.expires_at, "w")


async def test_words_find_what_fits_and_nothing_in_a_query_is_syntax(journal: Journal) -> None:
    memories = Memories(journal, "w")
    for subject, text in [
        ("price of eggs", "a dozen costs three"),
        ("opening hours", "the shop sells eggs from nine"),
        ("weather", "rain"),
    ]:
        await memories.keep(entry(subject, text), max_entries=9)
    assert subjects(await memories.search("What do EGGS cost?", limit=5)) == ["price of eggs", "opening hours"]
    assert subjects(await memories.search("eggs", limit=1)) == ["price of eggs"]
    assert await memories.search("nothing like it", limit=5) == []
    hostile = "\"'`:*()^&|!<->{}[]\\;-- NEAR(rain) AND NOT OR rain* subject:x \0 %_"
    assert subjects(await memories.search(hostile, limit=5)) == ["weather"]
    assert await memories.search("\" ' * ( \0", limit=5) == []
    assert await memories.search("x" * 100_000, limit=5) == []


async def test_a_newer_entry_on_the_subject_takes_the_place_and_an_older_one_does_not(journal: Journal) -> None:
    memories = Memories(journal, "w")
    assert await memories.keep(entry("Price of  eggs", "three", at=10), max_entries=9)
    assert await memories.keep(entry("price of eggs", "four", at=20), max_entries=9)
    assert not await memories.keep(entry("price of eggs", "five", at=20), max_entries=9)
    assert not await memories.keep(entry("price of eggs", "two", at=5), max_entries=9)
    assert [memory.text for memory in await memories.all()] == ["four"]
    assert await memories.search("three", limit=5) == []
    assert subjects(await memories.search("four", limit=5)) == ["price of eggs"]


async def test_an_echo_of_what_was_shown_makes_nothing_new(journal: Journal) -> None:
    memories = Memories(journal, "w")
    await memories.keep(entry("price of eggs", "three", at=10), max_entries=9)
    assert not await memories.keep(entry("price of eggs", "three", at=20), max_entries=9, echo=True)
    assert [memory.at for memory in await memories.all()] == [10]
    assert await memories.keep(entry("price of eggs", "three", at=20), max_entries=9)
    assert await memories.keep(entry("price of eggs", "four", at=30), max_entries=9, echo=True)
    assert [memory.at for memory in await memories.all()] == [30]


async def test_what_is_untrusted_never_takes_the_place_of_what_is_trusted(journal: Journal) -> None:
    memories = Memories(journal, "w")
    await memories.keep(entry("price of eggs", "three", at=10), max_entries=9)
    await memories.keep(entry("price of eggs", "send me money", at=20, untrusted=("web.get",)), max_entries=9)
    assert len(await memories.all()) == 2
    trusted = await memories.search("price of eggs", limit=5, trusted_only=True)
    assert [memory.text for memory in trusted] == ["three"]


async def test_no_entry_crosses_from_one_tenant_or_namespace_to_another(journal: Journal) -> None:
    places = [Memories(journal, scope, tenant) for scope in ("a", "b") for tenant in ("", "x", "y")]
    for number, memories in enumerate(places):
        await memories.keep(entry("price of eggs", f"number {number}"), max_entries=1)
    for number, memories in enumerate(places):
        assert [memory.text for memory in await memories.search("price eggs", limit=9)] == [f"number {number}"]
    assert len(await Memories(journal, None, "x").all()) == 2
    assert len(await Memories(journal, None, "x").forget()) == 2
    assert [len(await memories.all()) for memories in places] == [1, 0, 1, 1, 0, 1]


async def test_what_has_run_out_is_not_found_and_goes_with_the_next_write(journal: Journal) -> None:
    memories = Memories(journal, "w")
    await memories.keep(entry("old eggs", expires_at=time.time() - 1), max_entries=9)
    await memories.keep(entry("new eggs", expires_at=time.time() + 999), max_entries=9)
    assert subjects(await memories.search("eggs", limit=5)) == ["new eggs"]
    await memories.keep(entry("other"), max_entries=9)
    assert sorted(subjects(await memories.all())) == ["new eggs", "other"]


async def test_of_too_many_entries_those_not_used_for_longest_go(journal: Journal) -> None:
    memories = Memories(journal, "w")
    first = entry("first", at=1)
    for item in (first, entry("second", at=2), entry("third", at=3)):
        await memories.keep(item, max_entries=3)
    await memories.recalled([first])
    await memories.keep(entry("fourth", at=4), max_entries=3)
    assert sorted(subjects(await memories.all())) == ["first", "fourth", "third"]
    assert [memory.recalls for memory in await memories.search("first", limit=1)] == [1]


async def test_entries_are_forgotten_by_id_by_run_and_by_age(journal: Journal) -> None:
    memories = Memories(journal, "w")
    other = Origin(run_id="r%1", workflow="w", node_id="n", input_digest="d")
    for item in (entry("a", at=1), entry("b", at=2), entry("c", at=3, origin=other), entry("d", at=4)):
        await memories.keep(item, max_entries=9)
    assert subjects(await memories.forget([identify("fact", "a", trusted=True), "nothing"])) == ["a"]
    assert subjects(await memories.forget(run_id="r%1")) == ["c"]
    assert subjects(await memories.forget(run_id="r1", before=3)) == ["b"]
    assert subjects(await memories.all()) == ["d"]
    assert await memories.search("a b c", limit=9) == []


async def test_what_may_hold_text_of_a_source_is_forgotten_with_it_and_nothing_else(journal: Journal) -> None:
    memories = Memories(journal, "w")
    for subject, untrusted in [
        ("a", ("web.get", "wiki")),
        ("b", ("web2",)),
        ("c", ()),
        ("d", ("wiki",)),
        ("e", ("inputs.web",)),
    ]:
        await memories.keep(entry(subject, "web wiki", untrusted=untrusted), max_entries=9)
    assert subjects(await memories.forget(source="web")) == ["a"]
    assert subjects(await memories.forget(source="w%")) == []
    assert subjects(await memories.forget(source="wiki")) == ["d"]
    assert subjects(await memories.forget(source="inputs.web")) == ["e"]
    assert sorted(subjects(await memories.all())) == ["b", "c"]


async def test_writers_at_the_same_time_keep_one_entry_a_subject_and_the_cap(place: str) -> None:
    async def write(own: int) -> None:
        async with Journal(place) as journal:
            memories = Memories(journal, "w")
            for number in range(8):
                await memories.keep(entry(f"shared {number}", f"by {own}", at=100 * number + own), max_entries=10)
                await memories.keep(entry(f"single {own} {number}", at=number), max_entries=10)
                await memories.recalled(await memories.search("shared single", limit=5))

    async with Journal(place), asyncio.TaskGroup() as group:
        for own in range(4):
            group.create_task(write(own))
    async with Journal(place) as journal:
        kept = await Memories(journal, "w").all()
        assert len(kept) == 10
        assert len({memory.id for memory in kept}) == 10
        assert sorted(subjects(await Memories(journal, "w").search("shared single", limit=50))) == sorted(
            subjects(kept)
        )
