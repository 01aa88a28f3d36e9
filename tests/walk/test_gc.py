"""Old runs are deleted whole, by one process at a time, and never what somebody still needs."""

import asyncio
import math
import signal
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from programs import begin
from sqlalchemy import create_engine, text
from support import MakeWorkflow, ServeModel

from planloom.configs.load import Workflow
from planloom.core import events as ev
from planloom.core.errors import ConfigError, RunError
from planloom.core.plan import RunId
from planloom.engine import Engine
from planloom.state.journal import Journal
from planloom.state.log import RunLog
from planloom.state.retention import ENDINGS
from planloom.state.url import parse_url

ONE = "nodes: {a: {code: \"'x' * 3000\"}}\noutput: ${nodes.a.output}\n"
FAILS = "nodes: {a: {code: 1 / 0}}\n"
WAITS = "tools: {}\nnodes: {a: {code: '1', approve: true}}\n"


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty journal of each kind."""
    if request.param == "sqlite":
        yield str(tmp_path / "j.db")
        return
    url = request.getfixturevalue("postgres").url
    yield url
    engine = create_engine(parse_url(url))
    with engine.begin() as connection:
        for table in tables(url):
            connection.execute(text(f"TRUNCATE {table}"))
    engine.dispose()


def tables(place: str) -> list[str]:
    kept = ["events", "leases", "checkpoints"]
    return [*kept, "checkpoint_blobs", "checkpoint_writes"] if "://" in place else [*kept, "writes"]


def rows(place: str) -> dict[str, set[str]]:
    """The runs of which each table has rows."""
    engine = create_engine(parse_url(place))
    with engine.connect() as connection:
        found = {
            table: {
                str(name)
                for (name,) in connection.execute(
                    text(f"SELECT {'run_id' if table in ('events', 'leases') else 'thread_id'} FROM {table}")
                )
            }
            for table in tables(place)
        }
    engine.dispose()
    return found


def left(place: str) -> set[str]:
    return set().union(*rows(place).values())


async def write_runs(place: str, count: int, size: int = 0) -> list[RunId]:
    """Write runs that are done straight into the journal."""
    ids = [RunId(f"r{number:05d}") for number in range(count)]
    async with Journal(place) as journal:
        for run_id in ids:
            await journal.take(run_id)
            log = RunLog(journal, run_id)
            log.note(
                ev.RunStarted(at=10.0, run_id=run_id, name="n", workflow={}, base_dir="/", inputs={}, rehearsal=False)
            )
            log.note(ev.RunEnded(at=20.0, status="done", output="x" * size))
        await journal.commit()
    return ids


async def test_a_run_that_is_done_goes_with_all_its_rows_and_the_others_stay(
    make_workflow: MakeWorkflow, place: str
) -> None:
    async with Engine(journal=place) as engine:
        old = [(await engine.run(make_workflow(ONE, models=""))).run_id for _ in range(3)]
        failed = (await engine.run(make_workflow(FAILS, models=""))).run_id
        waits = (await engine.run(make_workflow(WAITS, models=""))).run_id
        young = (await engine.run(make_workflow(ONE, models=""))).run_id
        assert all(old[0] in ids for ids in rows(place).values())
        planned = await engine.gc(older_than_s=0, keep=1, dry_run=True)
        assert (planned.runs, planned.rows, planned.dry_run) == (tuple(old), 0, True)
        assert (await engine.gc()).runs == ()
        gone = await engine.gc(older_than_s=0, keep=1)
        assert gone.runs == tuple(old)
        assert gone.rows > 3 * 5
        assert left(place) == {failed, waits, young}
        with pytest.raises(RunError, match="is not in"):
            await engine.view(old[0])
        assert (await engine.resume(waits, {"a": True})).status == "done"
        assert (await engine.gc(older_than_s=0, statuses=["failed"])).runs == (failed,)
        assert left(place) == {waits, young}


async def test_what_could_be_resumed_goes_only_when_it_is_named(make_workflow: MakeWorkflow, place: str) -> None:
    async with Engine(journal=place) as engine:
        waits = (await engine.run(make_workflow(WAITS, models=""))).run_id
        async with Journal(place) as journal:
            cut = RunLog(journal, RunId("cut-off"))
            await cut.commit(
                ev.RunStarted(
                    at=1.0, run_id=cut.run_id, name="n", workflow={}, base_dir="/", inputs={}, rehearsal=False
                )
            )
        others = [ending for ending in ENDINGS if ending not in ("waiting", "interrupted")]
        assert (await engine.gc(older_than_s=0, statuses=others)).runs == ()
        assert (await engine.gc(older_than_s=0, statuses=["interrupted"])).runs == ("cut-off",)
        assert (await engine.gc(older_than_s=0, statuses=["waiting"])).runs == (waits,)
        assert left(place) == set()


async def test_a_run_under_way_is_left_alone_whatever_is_asked_for(serve_model: ServeModel, place: str) -> None:
    server = await serve_model("rehearsal: 1\nrules: [{text: ok, delay: 20ms}]\n")
    chain = {f"n{i}": {"goal": "go", "with": {"x": f"${{nodes.n{i - 1}.output}}"} if i else {}} for i in range(6)}
    workflow = Workflow.from_dict({"version": 1, "name": "c", "models": {"m": {"model": "openai:m"}}, "nodes": chain})
    async with Engine(journal=place, base_url=server.base_url) as mine, Engine(journal=place) as other:
        handle = await mine.submit(workflow)
        swept: list[str] = []
        async for _ in handle.events():
            swept += (await other.gc(older_than_s=0, statuses=ENDINGS[1:])).runs
            swept += (await mine.gc(older_than_s=0, statuses=ENDINGS[1:])).runs
        assert (await handle.result()).status == "done"
        assert swept == []
        assert (await other.gc(older_than_s=0)).runs == (handle.run_id,)


async def test_two_collectors_at_once_delete_every_run_once(place: str) -> None:
    ids = await write_runs(place, 24)
    async with Engine(journal=place) as first, Engine(journal=place) as second, asyncio.TaskGroup() as group:
        tasks = [group.create_task(engine.gc(older_than_s=0)) for engine in (first, second)]
    assert sorted(run_id for task in tasks for run_id in task.result().runs) == ids
    assert left(place) == set()


async def test_of_a_resume_and_a_collector_at_once_one_wins(make_workflow: MakeWorkflow, place: str) -> None:
    async with Engine(journal=place) as first, Engine(journal=place) as second:
        for _ in range(5):
            run_id = (await first.run(make_workflow(WAITS, models=""))).run_id
            async with asyncio.TaskGroup() as group:
                resumed = group.create_task(_resume(first, run_id))
                swept = group.create_task(second.gc(older_than_s=0, statuses=["waiting"]))
            if resumed.result() == "done":
                assert swept.result().runs == ()
                assert (await first.view(run_id)).status == "done"
            else:
                assert swept.result().runs == (run_id,), resumed.result()
                assert run_id not in rows(place)["events"] | rows(place)["checkpoints"]


async def _resume(engine: Engine, run_id: str) -> str:
    try:
        return (await engine.resume(run_id, {"a": True})).status
    except RunError as exc:
        return str(exc)


MORTAL = """
import asyncio, os, signal, sys
from planloom.gc import collect
from planloom.graphs.checkpoints import open_checkpointer
from planloom.graphs.shell import build_shell
from planloom.state.journal import Journal
from planloom.state.retention import Retention

class Mortal(Journal):
    deleted = 0
    async def delete(self, run_id):
        self.deleted += 1
        if self.deleted == 5:
            os.kill(os.getpid(), signal.SIGKILL)
        return await super().delete(run_id)

async def main() -> None:
    async with Mortal(sys.argv[1]) as journal, open_checkpointer(journal.url, journal.seal) as saver:
        await collect(journal, build_shell(saver), Retention(older_than_s=0))
asyncio.run(main())
"""


async def test_a_collector_that_is_killed_leaves_whole_runs_and_the_next_one_goes_on(
    make_workflow: MakeWorkflow, place: str, tmp_path: Path
) -> None:
    async with Engine(journal=place) as engine:
        ids = [(await engine.run(make_workflow(ONE, models=""))).run_id for _ in range(7)]
        assert await begin(MORTAL, place, folder=tmp_path).end() == -signal.SIGKILL
        found = rows(place)
        assert found["events"] == set(ids[4:])
        assert found["checkpoints"] == set(ids[5:])  # those of the fifth go first: it can be found again
        for run_id in ids[4:]:
            history = await engine.history(run_id)
            assert isinstance(history[0], ev.RunStarted)
            assert isinstance(history[-1], ev.RunEnded)
        assert (await engine.gc(older_than_s=0)).runs == tuple(ids[4:])
        assert left(place) == set()


@asynccontextmanager
async def writing(place: str) -> AsyncIterator[RunLog]:
    """A run that another journal writes all the while."""
    async with Journal(place) as journal:
        run_id = RunId("busy")
        await journal.take(run_id)
        log = RunLog(journal, run_id)

        async def write() -> None:
            while not log.closed:
                await log.commit(ev.NodeHeld(node_id="a", reason="x", node_digest="d"))

        async with asyncio.TaskGroup() as group:
            group.create_task(write())
            yield log
            log.close()
        assert await journal.events(run_id) == log.events


async def test_a_file_gets_smaller_while_another_process_writes_to_it(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    await write_runs(str(path), 40, size=100_000)
    async with writing(str(path)), Engine(journal=path) as engine:
        gone = await engine.gc(older_than_s=0)
    assert len(gone.runs) == 40
    assert gone.freed_bytes > 2_000_000
    assert path.stat().st_size < 2_500_000


async def test_a_file_of_the_old_layout_is_copied_only_when_no_run_is_under_way(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with sqlite3.connect(path) as old:
        old.execute("PRAGMA auto_vacuum=NONE")
        old.execute("CREATE TABLE other (x)")  # a file's layout is settled by its first table
        old.execute("DROP TABLE other")
    old.close()
    await write_runs(str(path), 30, size=100_000)
    async with Engine(journal=path) as engine:
        async with writing(str(path)):
            assert (await engine.gc(older_than_s=0)).freed_bytes == 0
        await write_runs(str(path), 1)
        assert (await engine.gc(older_than_s=0)).freed_bytes > 2_500_000
        await write_runs(str(path), 30, size=100_000)
        assert (await engine.gc(older_than_s=0)).freed_bytes > 2_500_000


async def test_an_engine_with_a_retention_deletes_what_is_too_old_when_it_opens(
    make_workflow: MakeWorkflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "j.db")
    await write_runs(path, 3)
    monkeypatch.setenv("PLANLOOM_RETENTION", "1h")
    async with Engine(journal=path, retention_s=math.inf) as engine:
        assert len(await engine.runs()) == 3
        new = (await engine.run(make_workflow(ONE, models=""))).run_id
    async with Engine(journal=path) as engine:
        assert [run.run_id for run in await engine.runs()] == [new]
    monkeypatch.setenv("PLANLOOM_RETENTION", "soon")
    with pytest.raises(ConfigError, match="PLANLOOM_RETENTION: expected seconds or a duration"):
        Engine(journal=path)


async def test_values_that_make_no_sense_are_refused_together(tmp_path: Path) -> None:
    async with Engine(journal=":memory:") as engine:
        with pytest.raises(ConfigError) as caught:
            await engine.gc(older_than_s=-1, keep=-2, statuses=["running"])  # type: ignore[list-item]
    assert [problem.field for problem in caught.value.problems] == ["older_than_s", "keep", "statuses"]


async def test_a_run_with_a_damaged_end_is_left_for_a_person_to_see(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    await write_runs(str(path), 2)
    with sqlite3.connect(path) as other:
        other.execute("UPDATE events SET payload = substr(payload, 1, 40) WHERE run_id = 'r00000' AND seq = 2")
    other.close()
    async with Engine(journal=path) as engine:
        assert (await engine.gc(older_than_s=0)).runs == ("r00001",)
