"""What is exported and taken in elsewhere is what it was, however often it is done."""

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from planloom.core.json import Json
from planloom.core.memory import Memory, Origin, identify
from planloom.core.plan import new_run_id
from planloom.state.journal import Journal
from planloom.state.memories import Memories
from planloom.state.memory_lines import memory_lines, read_memories

WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | WORDS
)
VALUES: st.SearchStrategy[Json] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3), max_leaves=6
)
LATER = time.time() + 1e6


@st.composite
def entries(draw: st.DrawFn) -> Memory:
    subject, untrusted = draw(WORDS | st.just("x" * 600)), draw(st.sampled_from([(), ("web.get", "inputs.page")]))
    kind = draw(st.sampled_from(["fact", "result"]))
    return Memory(
        id=identify(kind, subject, trusted=not untrusted),
        kind=kind,
        subject=subject,
        text=draw(WORDS | st.just("y" * 9000)),
        value=draw(VALUES | st.just("z" * 30_000)),
        origin=Origin(
            run_id="r1", workflow=draw(WORDS), node_id="n", input_digest="d", model=draw(WORDS), checks=(draw(WORDS),)
        ),
        at=draw(st.floats(1e9, 1e9 + 5)),
        untrusted=untrusted,
        expires_at=draw(st.none() | st.just(LATER)),
        recalls=draw(st.integers(0, 9)),
        namespace=draw(st.sampled_from(["a", "b"])),
    )


@pytest.fixture
async def journal() -> AsyncIterator[Journal]:
    async with Journal(":memory:") as opened:
        yield opened


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(made=st.lists(entries(), max_size=6), others=st.lists(entries(), max_size=2))
async def test_a_round_trip_keeps_everything_and_a_second_one_changes_nothing(
    journal: Journal, tmp_path: Path, made: list[Memory], others: list[Memory]
) -> None:
    file, here, there, other = tmp_path / "m.jsonl", *(Memories(journal, None, new_run_id()) for _ in range(3))
    assert await here.take_in(made) <= len(made)
    first = await here.all()
    file.write_text("\n".join(memory_lines(first)), encoding="utf-8")
    await other.take_in(others)
    stays = await other.all()
    assert read_memories(file) == first
    assert [await there.take_in(read_memories(file)) for _ in range(2)] == [len(first), 0]
    assert sorted(memory_lines(await there.all())) == sorted(memory_lines(first))
    assert await other.all() == stays


async def test_what_is_untrusted_takes_no_trusted_place_even_where_a_file_was_edited(journal: Journal) -> None:
    trusted = Memory(
        id="0" * 16,
        kind="fact",
        subject="price",
        text="three",
        value=3,
        origin=Origin(run_id="r", workflow="w", node_id="n", input_digest="d"),
        at=1.0,
        namespace="a",
    )
    forged = replace(trusted, at=2.0, untrusted=("web.get",))
    memories = Memories(journal, None)
    assert [await memories.take_in([entry]) for entry in (trusted, forged)] == [1, 0]
    assert [entry.untrusted for entry in await memories.all()] == [()]
