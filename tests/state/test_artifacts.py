"""Large values beside the journal: once, whole, gone with their run, in both databases."""

import asyncio
import hashlib
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from older import turn_back
from sqlalchemy import func, select

from planloom.core.artifact import digests_in, filled
from planloom.core.json import Json
from planloom.core.plan import RunId
from planloom.engine import Engine
from planloom.state.artifacts import PART_BYTES, Artifacts
from planloom.state.journal import Journal
from planloom.state.tables import artifact_parts

TEXT = "Zeile 日本 🙂\n" * 60_000
KEEPER = """
import asyncio, os, signal, sys
from planloom.core.plan import RunId
from planloom.state.artifacts import Artifacts
from planloom.state.journal import Journal

async def main():
    async with Journal(sys.argv[1]) as journal:
        artifacts = Artifacts(journal, RunId("r"))
        while sys.stdin.readline():
            print((await artifacts.keep("x" * 3_000_000)).digest, flush=True)

asyncio.run(main())
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "j.db")
    return request.getfixturevalue("postgres").url


async def parts_of(journal: Journal, run_id: str) -> int:
    count = select(func.count()).select_from(artifact_parts).where(artifact_parts.c.run_id == run_id)
    return int(await journal.transact(lambda connection: connection.execute(count).scalar_one()))


@pytest.mark.parametrize("value", [TEXT, "", {"rows": [[1, "é", None]] * 30_000}, [], "half \ud800 pair"])
async def test_a_value_comes_back_as_it_was(place: str, value: Json) -> None:
    async with Journal(place) as journal:
        artifacts = Artifacts(journal, RunId("whole"))
        reference = await artifacts.keep(value)
        expected = value.replace("\ud800", "?") if isinstance(value, str) else value
        assert await artifacts.load(reference.digest) == expected
        data = await artifacts.read(reference.digest)
    assert (hashlib.sha256(data).hexdigest(), len(data)) == (reference.digest, reference.size_bytes)


async def test_any_slice_can_be_read(place: str) -> None:
    data = TEXT.encode()
    async with Journal(place) as journal:
        artifacts = Artifacts(journal, RunId("slices"))
        digest = (await artifacts.keep(TEXT)).digest
        for offset in (0, 1, PART_BYTES - 1, PART_BYTES, 3 * PART_BYTES + 7, len(data) - 1, len(data), len(data) + 9):
            for size in (0, 1, 100, PART_BYTES, 2 * PART_BYTES + 1):
                assert await artifacts.read(digest, offset, size) == data[offset : offset + size]


async def test_a_value_is_stored_once_by_however_many_at_once(place: str) -> None:
    async with Journal(place) as first, Journal(place) as second:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(Artifacts(j, RunId("once")).keep(TEXT)) for j in (first, second) * 5]
        assert len({task.result().digest for task in tasks}) == 1
        assert await parts_of(first, "once") == -(-len(TEXT.encode()) // PART_BYTES)


async def test_a_run_does_not_see_what_another_one_keeps(place: str) -> None:
    async with Journal(place) as journal:
        reference = await Artifacts(journal, RunId("mine")).keep(TEXT)
        theirs = Artifacts(journal, RunId("theirs"))
        assert await theirs.find(reference.digest) is None
        assert await theirs.read(reference.digest) == b""
        with pytest.raises(KeyError):
            await theirs.load(reference.digest)


async def test_what_was_given_out_is_there_after_a_killed_process(place: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-c", KEEPER, place), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"\n")
    digest = await process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    await process.wait()
    async with Journal(place) as journal:
        assert await Artifacts(journal, RunId("r")).load(digest.decode().strip()) == "x" * 3_000_000


async def test_artifacts_go_with_their_run(place: str) -> None:
    async with Journal(place) as journal:
        for run_id in (RunId("old"), RunId("new")):
            await journal.take(run_id)
            await Artifacts(journal, run_id).keep(TEXT)
        await journal.delete(RunId("old"))
        assert [await parts_of(journal, run_id) > 0 for run_id in ("old", "new")] == [False, True]


async def test_a_journal_made_before_there_were_artifacts_is_brought_up_to_date(tmp_path: Path) -> None:
    async with Engine(journal=tmp_path / "j.db"):
        pass
    turn_back(tmp_path / "j.db", "0001")
    async with Journal(tmp_path / "j.db") as journal:
        artifacts = Artifacts(journal, RunId("r"))
        assert await artifacts.load((await artifacts.keep("x")).digest) == "x"


def test_handles_are_found_and_filled_wherever_they_stand() -> None:
    handle: Json = {"artifact": "sha256:AB12", "bytes": 1, "kind": "text", "head": ""}
    value: Json = {"a": [handle, 1], "b": {"artifact": "no handle"}, "c": {"artifact": 7}}
    assert list(digests_in(value)) == ["ab12"]
    assert filled(value, {"ab12": "whole"}) == {"a": ["whole", 1], "b": {"artifact": "no handle"}, "c": {"artifact": 7}}
    assert filled(value, {}) == value
