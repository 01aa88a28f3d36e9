"""The journal on real files: what was committed is there, whatever happens afterwards."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from planloom.core import events as ev
from planloom.core.errors import RunError
from planloom.core.outcome import Usage
from planloom.core.plan import NodeId, RunId
from planloom.state.journal import Journal, JournalError
from planloom.state.log import RunLog

R1, R2 = RunId("261101-aa1"), RunId("261102-aa2")


def started(run_id: RunId = R1, at: float = 10.0, name: str = "n") -> ev.RunStarted:
    return ev.RunStarted(at=at, run_id=run_id, name=name, workflow={}, base_dir="/", inputs={}, rehearsal=False)


def committed(node: str, output: str = "x", digest: str = "d") -> ev.NodeCommitted:
    return ev.NodeCommitted(node_id=NodeId(node), plan_version=1, input_digest=digest, output=output, attempt=1)


def ended(status: ev.Status = "done", at: float = 20.0) -> ev.RunEnded:
    return ev.RunEnded(at=at, status=status, output=None)


def child(code: str, *args: object, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run Python that has the journal, the events and a run to write."""
    head = (
        "import asyncio, os, resource, sys\n"
        "from planloom.core import events as ev\n"
        "from planloom.state.journal import Journal, JournalError\n"
        "from planloom.state.log import RunLog\n"
        "def started(r): return ev.RunStarted("
        "run_id=r, name='n', workflow={}, base_dir='/', inputs={}, rehearsal=False)\n"
        "def committed(n, size=1): return ev.NodeCommitted("
        "node_id=n, plan_version=1, input_digest='d', output='x' * size, attempt=1)\n"
    )
    line = [sys.executable, "-P", "-c", head + code, *map(str, args)]
    return subprocess.run(line, capture_output=True, text=True, timeout=200, check=check)


async def outputs(path: Path, run_id: RunId = R1) -> list[str]:
    async with Journal(path) as journal:
        events = await journal.events(run_id)
    return [str(event.node_id) for event in events if isinstance(event, ev.NodeCommitted)]


async def test_what_was_committed_is_there_when_the_file_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "folder" / "journal.db"
    wrote: list[ev.AnyEvent] = [started(), committed("a", "é"), ended()]
    async with Journal(path) as journal:
        log = RunLog(journal, R1)
        log.note(wrote[0])
        await log.commit(wrote[1])
        log.note(wrote[2])
    async with Journal(path) as journal:
        assert await journal.events(R1) == wrote
        assert await journal.events(R1, after=2) == wrote[2:]
        assert await journal.events(R2) == []


async def test_many_new_journals_can_be_opened_at_once_in_one_process(tmp_path: Path) -> None:
    async def opened(number: int) -> list[ev.AnyEvent]:
        async with Journal(tmp_path / f"{number}.db") as journal:
            return await journal.events(R1)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(opened(number)) for number in range(8)]
    assert [task.result() for task in tasks] == [[]] * 8


async def test_rows_keep_their_order_when_many_commit_at_once(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    async with Journal(path) as journal:
        logs = [RunLog(journal, RunId(f"run{n}")) for n in range(4)]

        async def commit(number: int) -> None:
            log = logs[number % 4]
            log.note(committed(f"noted{number}"))
            await log.commit(committed(f"n{number}"), sync=number % 50 == 0)

        async with asyncio.TaskGroup() as group:
            for number in range(200):
                group.create_task(commit(number))
        written = [await journal.events(log.run_id) for log in logs]
    assert written == [log.events for log in logs]
    assert sum(map(len, written)) == 400


async def test_everything_appended_before_a_commit_is_durable_with_it(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    async with Journal(path) as journal:
        log = RunLog(journal, R1)
        log.note(started())
        log.note(committed("a"))
        await log.commit(committed("b"))
        log.note(committed("later"))
        with sqlite3.connect(path) as other:
            rows = other.execute("SELECT seq, type, node_id FROM events ORDER BY seq").fetchall()
        other.close()
    assert rows == [(1, "RunStarted", None), (2, "NodeCommitted", "a"), (3, "NodeCommitted", "b")]


async def test_others_see_a_row_soon_though_nobody_waits_for_it(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    async with Journal(path) as journal, Journal(path) as other:
        RunLog(journal, R1).note(started())
        async with asyncio.timeout(60):
            while not await other.events(R1):
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("sync", [False, True])
async def test_a_commit_outlives_the_process_that_dies_right_after_it(tmp_path: Path, sync: bool) -> None:
    path = tmp_path / "j.db"
    code = """
async def main():
    journal = await Journal(sys.argv[1]).__aenter__()
    log = RunLog(journal, "261101-aa1")
    log.note(started("261101-aa1"))
    for n in range(5):
        await log.commit(committed(f"n{n}"), sync=sys.argv[2] == "True")
    log.note(committed("never waited for"))
    os._exit(9)
asyncio.run(main())
"""
    assert child(code, path, sync, check=False).returncode == 9
    assert (await outputs(path))[:5] == ["n0", "n1", "n2", "n3", "n4"]


async def test_a_full_disk_is_a_journal_error_and_earlier_rows_remain(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    code = """
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
async def main():
    failures = 0
    async with Journal(sys.argv[1]) as journal:
        log = RunLog(journal, "261101-aa1")
        await log.commit(started("261101-aa1"))
        await log.commit(committed("before"))
        size = max(os.path.getsize(sys.argv[1] + end) for end in ("", "-wal"))
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20_000, size + 20_000))
        for n in range(3):
            try:
                await log.commit(committed(f"big{n}", 400_000))
            except JournalError as exc:
                failures += 1
                assert "cannot write" in str(exc), exc
    print(failures)
asyncio.run(main())
"""
    assert child(code, path).stdout.strip() == "3"
    assert await outputs(path) == ["before"]


async def test_two_writers_of_one_run_end_in_an_error_for_one_of_them(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    async with Journal(path) as mine, Journal(path) as theirs:
        first, second = RunLog(mine, R1), RunLog(theirs, R1)
        await first.commit(started())
        with pytest.raises(JournalError, match=f"{R1} is being written by another process"):
            await second.commit(started())
        with pytest.raises(JournalError):
            await second.commit(committed("b"))
        await first.commit(committed("a"))
    assert await outputs(path) == ["a"]


async def test_a_run_that_was_taken_over_does_not_stop_the_other_runs_of_the_process(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    async with Journal(path) as mine, Journal(path) as theirs:
        taken, other = RunLog(mine, R1), RunLog(mine, R2)
        await taken.commit(started())
        await RunLog(theirs, R1, await theirs.events(R1)).commit(ev.RunResumed())
        taken.note(committed("lost"))
        other.note(started(R2))
        await other.commit(committed("kept"))
        with pytest.raises(JournalError):
            await taken.commit(committed("lost too"))
        await other.commit(committed("also kept"))
        with pytest.raises(JournalError):
            await mine.commit()
    assert await outputs(path, R2) == ["kept", "also kept"]
    assert await outputs(path, R1) == []


async def test_one_result_is_committed_once(tmp_path: Path) -> None:
    async with Journal(tmp_path / "j.db") as journal:
        log = RunLog(journal, R1)
        await log.commit(committed("a", digest="d1"))
        await log.commit(committed("a", digest="d2"))
        with pytest.raises(JournalError):
            await log.commit(committed("a", digest="d1"))


async def test_a_cancelled_commit_still_reaches_the_disk(tmp_path: Path) -> None:
    async with Journal(tmp_path / "j.db") as journal:
        log = RunLog(journal, R1)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(log.commit(committed("a")))
            await asyncio.sleep(0)
            task.cancel()
        assert task.cancelled()
        assert await journal.events(R1) == log.events


async def test_a_file_that_is_no_journal_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("these are my notes, not a database " * 40)
    before = path.read_bytes()
    with pytest.raises(JournalError, match="not a database"):
        await Journal(path).__aenter__()
    assert path.read_bytes() == before


@pytest.mark.parametrize("place", ["folder", "file.txt/j.db"])
async def test_a_place_where_no_file_can_be_is_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file.txt").touch()
    with pytest.raises(JournalError, match="journal"):
        await Journal(tmp_path / place).__aenter__()


async def test_a_journal_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    async with Journal(path) as journal:
        await RunLog(journal, R1).commit(started())
    other = sqlite3.connect(path)
    other.execute("UPDATE alembic_version SET version_num = '9999'")
    other.commit()
    other.close()
    with pytest.raises(JournalError, match="newer Planloom"):
        await Journal(path).__aenter__()
    other = sqlite3.connect(path)
    assert other.execute("SELECT version_num FROM alembic_version").fetchone() == ("9999",)
    other.close()


def test_a_journal_that_may_not_be_written_is_refused(tmp_path: Path) -> None:
    code = """
async def main():
    try:
        async with Journal("j.db"):
            print("opened")
    except JournalError as exc:
        print("refused", exc)
os.chdir(sys.argv[1])
asyncio.run(Journal("j.db").__aenter__())
[os.chmod(name, 0o444) for name in os.listdir()]
os.chmod(".", 0o555)
if os.geteuid() == 0:
    os.setuid(65534)
asyncio.run(main())
os._exit(0)
"""
    folder = tmp_path / "closed"
    folder.mkdir()
    found = child("sys.stdout.reconfigure(line_buffering=True)\n" + code, folder)
    assert found.stdout.startswith("refused "), found
    assert "journal j.db: " in found.stdout
    folder.chmod(0o755)


async def test_a_damaged_row_is_a_journal_error(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    async with Journal(path) as journal:
        await RunLog(journal, R1).commit(started())
        other = sqlite3.connect(path)
        for kind, payload in (("RunStarted", "{}"), ("NoSuchEvent", "{}"), ("RunStarted", "{")):
            other.execute("UPDATE events SET type = ?, payload = ?", (kind, payload))
            other.commit()
            with pytest.raises(JournalError, match="damaged"):
                await journal.events(R1)
            if kind == "RunStarted":
                with pytest.raises(JournalError):
                    await journal.runs(5)
        other.close()


async def test_a_run_is_found_by_its_id_a_prefix_or_as_the_last(tmp_path: Path) -> None:
    async with Journal(tmp_path / "j.db") as journal:
        with pytest.raises(RunError, match=r"is not in .*j\.db"):
            await journal.find("last")
        for run_id, at in ((R2, 20.0), (R1, 10.0), (RunId("261101-aa1-x"), 5.0)):
            await RunLog(journal, run_id).commit(started(run_id, at))
        assert await journal.find("last") == R2
        assert await journal.find("261102") == R2
        assert await journal.find(R1) == R1
        for name, message in [
            ("2611", "matches 261101-aa1, 261101-aa1-x, 261102-aa2"),
            ("261101", "matches 261101-aa1, 261101-aa1-x"),
            ("26110_", "is not in"),
            ("%", "is not in"),
            ("nope", "is not in"),
        ]:
            with pytest.raises(RunError, match=message):
                await journal.find(name)


async def test_an_id_that_begins_many_others_is_still_found(tmp_path: Path) -> None:
    async with Journal(tmp_path / "j.db") as journal:
        for name in ["r9", *(f"r{n}" for n in range(20, 30)), "r", "ra"]:
            await RunLog(journal, RunId(name)).commit(started(RunId(name)))
        assert await journal.find("r") == "r"


async def test_runs_are_listed_newest_first_with_status_and_cost(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    async with Journal(path) as journal:
        done = RunLog(journal, R1)
        done.note(started(at=10.0, name="old"))
        for usd in (0.25, 0.5):
            done.note(
                ev.CallEnded(
                    call_id="c", node_id=None, attempt=1, rung="m", model="m", usage=Usage(), cost_usd=usd, seconds=0
                )
            )
        await done.commit(ended("partial"))
        await journal.take(R2)
        resumed = RunLog(journal, R2)
        resumed.note(started(R2, at=20.0, name="new"))
        resumed.note(ended("waiting"))
        await resumed.commit(ev.RunResumed(interrupted=(NodeId("status"),)))
        runs = await journal.runs(10)
        assert [(run.run_id, run.name, run.status, run.cost_usd) for run in runs] == [
            (R2, "new", "running", 0.0),
            (R1, "old", "partial", 0.75),
        ]
        assert [(run.started_at, run.ended_at) for run in runs] == [(20.0, None), (10.0, 20.0)]
        assert [run.run_id for run in await journal.runs(1)] == [R2]


async def test_a_run_that_a_process_is_at_work_on_is_live_until_it_is_released(tmp_path: Path) -> None:
    async with Journal(tmp_path / "j.db") as journal, Journal(tmp_path / "j.db") as other:
        await journal.take(R1)
        await RunLog(journal, R1).commit(started())
        assert [run.live for run in await other.runs(5)] == [True]
        await journal.release(R1)
        assert [run.live for run in await other.runs(5)] == [False]


async def test_a_run_whose_process_was_killed_is_listed_as_interrupted(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    code = """
async def main():
    journal = await Journal(sys.argv[1]).__aenter__()
    await journal.take("killed")
    log = RunLog(journal, "killed")
    log.note(started("killed"))
    await log.commit(committed("a"))
    os.kill(os.getpid(), 9)
asyncio.run(main())
"""
    assert child(code, path, check=False).returncode == -9
    async with Journal(path) as journal:
        runs = await journal.runs(5)
        assert [(run.run_id, run.status, run.live) for run in runs] == [("killed", "interrupted", False)]
        assert await journal.find("last") == "killed"


async def test_a_journal_in_memory_keeps_nothing(tmp_path: Path) -> None:
    async with Journal(":memory:") as journal:
        await RunLog(journal, R1).commit(started())
        assert len(await journal.events(R1)) == 1
    assert os.listdir(tmp_path) == []
