"""Journals and checkpoints that somebody changed are refused, and nothing of the run is executed."""

import json
import os
import pickle
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import sqlalchemy as sa
from older import turn_back
from postgres import Postgres

from planloom.configs.load import Workflow
from planloom.core.errors import ConfigError, RunError
from planloom.engine import Engine
from planloom.state.artifacts import Artifacts
from planloom.state.chain import JournalDamaged, head_of, seal_of
from planloom.state.journal import Journal
from planloom.state.seal import Seal
from planloom.state.store import EventRow, JournalError

KEY = "a key that only we know"
MINE = "WHERE run_id = :run"
FLOW = {
    "version": 1,
    "name": "w",
    "nodes": {
        "first": {"code": "'hello ' * 2000"},
        "act": {"tool": "act", "with": {"text": "${nodes.first.output}"}, "approve": True},
    },
}

ROWS = {
    "a plan": f"UPDATE events SET payload = replace(payload, 'hello', 'other') {MINE} AND type = 'PlanReady'",
    "a result": f"UPDATE events SET payload = replace(payload, 'hello', 'other') {MINE} AND type = 'NodeCommitted'",
    "the workflow": f"UPDATE events SET payload = replace(payload, 'true', 'false') {MINE} AND type = 'RunStarted'",
    "a type": f"UPDATE events SET type = 'RunResumed' {MINE} AND type = 'RunEnded'",
    "a time": f"UPDATE events SET at = at - 1 {MINE} AND seq = 2",
    "a cost": f"UPDATE events SET cost_usd = 1 {MINE} AND seq = 2",
    "an attempt": f"UPDATE events SET attempt = 7 {MINE} AND type = 'AttemptStarted'",
    "a missing first row": f"DELETE FROM events {MINE} AND seq = 1",
    "a missing row": f"DELETE FROM events {MINE} AND seq = 3",
    "a missing last row": f"DELETE FROM events {MINE} AND seq = (SELECT max(seq) FROM events {MINE})",
    "missing last rows": f"DELETE FROM events {MINE} AND seq > 4",
    "a missing row, numbers closed up": f"DELETE FROM events {MINE} AND seq = 3; "
    f"UPDATE events SET seq = -seq {MINE} AND seq > 3; UPDATE events SET seq = -seq - 1 {MINE} AND seq < 0",
    "two rows in each other's place": f"UPDATE events SET seq = -2 {MINE} AND seq = 2; "
    f"UPDATE events SET seq = 2 {MINE} AND seq = 3; UPDATE events SET seq = 3 {MINE} AND seq = -2",
    "a row of another run": "UPDATE events SET (payload, seal) = (SELECT payload, seal FROM events o "
    f"WHERE o.run_id = :other AND o.seq = events.seq) {MINE} AND type = 'RunStarted'",
    "all rows of another run": f"DELETE FROM events {MINE} AND seq > 1; INSERT INTO events "
    "(run_id, seq, at, type, node_id, plan_version, input_digest, attempt, cost_usd, payload, seal) "
    "SELECT :run, seq, at, type, node_id, plan_version, input_digest, attempt, cost_usd, payload, seal "
    "FROM events WHERE run_id = :other AND seq > 1",
    "an approval": "INSERT INTO events (run_id, seq, at, type, node_id, cost_usd, payload) SELECT run_id, seq + 1, at, "
    "'ApprovalGiven', 'act', 0, :approval FROM events WHERE run_id = :run ORDER BY seq DESC LIMIT 1",
    "no seals": f"UPDATE events SET seal = NULL {MINE}",
    "what is kept of the last row": f"UPDATE leases SET head = '2' || substr(head, 2) {MINE}",
    "an artifact": f"UPDATE artifact_parts SET data = :bytes {MINE}",
}
ANSWER = {
    "an answer": "INSERT INTO answers (run_id, name, bound_to, at, payload, seal) "
    "VALUES (:run, 'act', :bound, 0, :answer, 'h00')",
}
THREAD = "WHERE thread_id = :run"
CHECKPOINTS = {
    "sqlite": {
        "a checkpoint": f"UPDATE checkpoints SET checkpoint = :bytes {THREAD}",
        "a checkpoint as a pickle": f"UPDATE checkpoints SET type = 'pickle', checkpoint = :pickle {THREAD}",
        "a checkpoint as JSON": f"UPDATE checkpoints SET type = 'json', checkpoint = :json {THREAD}",
        "a checkpoint's other columns": f"UPDATE checkpoints SET metadata = '{{}}' {THREAD}",
        "no JSON": f"UPDATE checkpoints SET metadata = '{{' {THREAD}",
        "another run's checkpoint": "UPDATE checkpoints SET (checkpoint, metadata) = (SELECT checkpoint, metadata FROM "
        f"checkpoints o WHERE o.thread_id = :other ORDER BY checkpoint_id DESC LIMIT 1) {THREAD}",
        "what a stage handed on": f"UPDATE writes SET value = :bytes {THREAD}",
        "what a stage handed on, as a pickle": f"UPDATE writes SET type = 'pickle', value = :pickle {THREAD}",
    },
    "postgresql": {
        "a checkpoint": "UPDATE checkpoints SET checkpoint = jsonb_set(checkpoint, '{channel_values,run_id}', '\"x\"') "
        f"{THREAD}",
        "a checkpoint's versions": "UPDATE checkpoints SET checkpoint = jsonb_set(checkpoint, '{versions_seen}', '{}') "
        f"{THREAD}",
        "a checkpoint's other columns": f"UPDATE checkpoints SET metadata = '{{}}' {THREAD}",
        "what a stage handed on, as a pickle": f"UPDATE checkpoint_writes SET type = 'pickle', blob = :pickle {THREAD}",
    },
}


@dataclass
class Bench:
    """An engine whose runs wait for an approval, and what its tool was called with."""

    url: str
    called: list[int] = field(default_factory=list)

    def engine(self, key: str = "") -> Engine:
        def act(text: str) -> str:
            """Act."""
            self.called.append(len(text))
            return "acted"

        return Engine(journal=Journal(self.url, key=key), tools={"act": act})

    def tamper(self, sql: str, **values: object) -> None:
        engine = sa.create_engine(self.url.replace("postgresql://", "postgresql+psycopg://"))
        with engine.begin() as connection:
            for statement in sql.split("; "):
                known = {name: value for name, value in values.items() if f":{name}" in statement}
                done = connection.execute(sa.text(statement), known)
                assert done.rowcount > 0, statement
        engine.dispose()


class Planted:
    """A pickle of it touches a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self.path}",)


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def bench(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Bench:
    if kind == "sqlite":
        return Bench(f"sqlite:///{tmp_path / 'j.db'}")
    server: Postgres = request.getfixturevalue("postgres")
    return Bench(server.fresh())


@pytest.mark.parametrize("key", ["", KEY], ids=["without a key", "with a key"])
async def test_what_somebody_changed_is_refused_and_nothing_is_executed(
    kind: str, key: str, bench: Bench, tmp_path: Path
) -> None:
    workflow = Workflow.from_dict(FLOW, base_dir=tmp_path)
    touched = tmp_path / "touched"
    async with bench.engine(key) as engine:
        other = await engine.run(workflow)
        for name, sql in {**ROWS, **ANSWER, **CHECKPOINTS[kind]}.items():
            run = await engine.run(workflow)
            assert run.status == "waiting", run.error
            (held,) = run.pending
            if name == "an artifact":
                await Artifacts(engine.journal, run.run_id).keep("a large value")
            approval = {"at": 0, "node_id": "act", "approved": True, "bound_to": held.bound_to}
            bench.tamper(
                sql,
                run=run.run_id,
                other=other.run_id,
                bound=held.bound_to,
                approval=json.dumps(approval),
                answer=json.dumps({"approved": True}),
                bytes=b"other",
                json=b"{}",
                pickle=pickle.dumps(Planted(touched)),
            )
            gone = name == "a missing first row"
            said = rf"run '{run.run_id}' is not in" if gone else rf"run {run.run_id}: .*; nothing was run"
            with pytest.raises(RunError if gone else JournalDamaged, match=said):
                await engine.resume(run.run_id, {"act": True})
            if name in ROWS and name != "an artifact" and not gone:
                with pytest.raises(JournalDamaged):
                    await engine.view(run.run_id)
        assert bench.called == []
        assert not touched.exists()
        intact = await engine.resume(other.run_id, {"act": True})
    assert (intact.status, bench.called) == ("done", [12000])


async def test_a_checkpoint_that_is_missing_is_harmless_for_the_journal_alone_decides(
    bench: Bench, kind: str, tmp_path: Path
) -> None:
    tables = ["checkpoints", "writes" if kind == "sqlite" else "checkpoint_writes"]
    async with bench.engine() as engine:
        run = await engine.run(Workflow.from_dict(FLOW, base_dir=tmp_path))
        for table in tables:
            bench.tamper(f"DELETE FROM {table} {THREAD}", run=run.run_id)
        again = await engine.resume(run.run_id)
        assert (again.status, bench.called) == ("waiting", [])
        assert (await engine.resume(run.run_id, {"act": True})).status == "done"


def _forge(path: Path, run_id: str) -> None:
    """Change a result, and seal all rows anew as whoever knows this program can."""
    with sqlite3.connect(path) as connection:
        found = connection.execute("SELECT * FROM events WHERE run_id = ? ORDER BY seq", (run_id,)).fetchall()
        before, row = "", EventRow(*found[0])
        for item in found:
            row = EventRow(*item)
            row = row._replace(payload=row.payload.replace("hello", "other"))
            row = row._replace(seal=seal_of(Seal(), before, row))
            before = row.seal
            connection.execute(
                "UPDATE events SET payload = ?, seal = ? WHERE run_id = ? AND seq = ?",
                (row.payload, row.seal, run_id, row.seq),
            )
        connection.execute("UPDATE leases SET head = ? WHERE run_id = ?", (head_of(Seal(), row), run_id))


@pytest.mark.parametrize("key", ["", KEY], ids=["without a key", "with a key"])
async def test_only_a_key_keeps_out_whoever_seals_anew(key: str, tmp_path: Path) -> None:
    bench = Bench(f"sqlite:///{tmp_path / 'j.db'}")
    async with bench.engine(key) as engine:
        run = await engine.run(Workflow.from_dict(FLOW, base_dir=tmp_path))
        _forge(tmp_path / "j.db", run.run_id)
        if key:
            with pytest.raises(JournalDamaged, match="written without a key"):
                await engine.resume(run.run_id, {"act": True})
            assert bench.called == []
        else:
            forged = await engine.resume(run.run_id, {"act": True})
            assert str(forged.nodes["first"].output).startswith("other other")


async def test_a_run_is_taken_up_with_the_key_it_was_begun_with(tmp_path: Path) -> None:
    bench = Bench(f"sqlite:///{tmp_path / 'j.db'}")
    async with bench.engine(KEY) as engine:
        run = await engine.run(Workflow.from_dict(FLOW, base_dir=tmp_path))
    for key, reason in (("", "set PLANLOOM_JOURNAL_KEY"), ("another key, just as long", "the key is another one")):
        async with bench.engine(key) as engine:
            with pytest.raises(JournalDamaged, match=reason):
                await engine.resume(run.run_id, {"act": True})
    with pytest.raises(ConfigError, match="PLANLOOM_JOURNAL_KEY: expected at least 16 characters, found 5"):
        bench.engine("short")
    async with bench.engine(KEY) as engine:
        assert (await engine.resume(run.run_id, {"act": True})).status == "done"


async def test_no_flipped_byte_and_no_cut_file_is_taken_for_another_run(tmp_path: Path) -> None:
    bench = Bench(f"sqlite:///{tmp_path / 'j.db'}")
    async with bench.engine() as engine:
        run = await engine.run(Workflow.from_dict(FLOW, base_dir=tmp_path))
    with sqlite3.connect(tmp_path / "j.db") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole = (tmp_path / "j.db").read_bytes()
    wanted = "hello hello", '"act"', '"approve":true'
    places = [whole.index(word.encode()) for word in wanted] + [len(whole) // 2, len(whole) // 3]
    changed = [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in places[:3]]
    changed += [whole[:at] for at in places[3:]]
    for number, data in enumerate(changed):
        other = Bench(f"sqlite:///{tmp_path / f'{number}.db'}")
        (tmp_path / f"{number}.db").write_bytes(data)
        with pytest.raises((JournalError, ConfigError)):
            async with other.engine() as engine:
                await engine.resume(run.run_id, {"act": True})
        assert other.called == []
    shutil.copy(tmp_path / "j.db", tmp_path / "intact.db")
    intact = Bench(f"sqlite:///{tmp_path / 'intact.db'}")
    async with intact.engine() as engine:
        assert (await engine.resume(run.run_id, {"act": True})).status == "done"


async def test_runs_of_an_older_version_are_sealed_and_taken_along(tmp_path: Path) -> None:
    bench = Bench(f"sqlite:///{tmp_path / 'j.db'}")
    async with bench.engine() as engine:
        run = await engine.run(Workflow.from_dict(FLOW, base_dir=tmp_path))
    turn_back(tmp_path / "j.db", "0006")
    async with bench.engine(KEY) as engine:
        result = await engine.resume(run.run_id, {"act": True})
        assert (result.status, bench.called) == ("done", [12000])
        bench.tamper(ROWS["a result"], run=run.run_id)
        with pytest.raises(JournalDamaged):
            await engine.view(run.run_id)
