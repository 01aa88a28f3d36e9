"""One run has one writer: two engines, dead owners, and a database that goes away."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres import Between, Postgres, served
from programs import RUNNER, begin
from support import MakeWorkflow, ServeModel

from planloom.configs.load import Workflow
from planloom.core.errors import RunError
from planloom.core.events import NodeCommitted
from planloom.core.plan import NodeId, RunId
from planloom.engine import Engine
from planloom.state.journal import Journal, JournalError
from planloom.state.log import RunLog
from planloom.state.owner import is_dead, this_process

CHAIN = "\n".join(
    f'  n{i}: {{goal: go, with: {{x: "${{nodes.n{i - 1}.output}}"}}}}' if i else "  n0: {goal: start}"
    for i in range(12)
)
WORKFLOW = f"version: 1\nname: chain\nmodels: {{m: {{model: 'openai:m'}}}}\nnodes:\n{CHAIN}\n"
ANSWERS = "rehearsal: 1\nrules: [{when: {node: n4}, hang: true, times: 1}, {text: ok}]\n"


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A journal of each kind."""
    if request.param == "sqlite":
        return str(tmp_path / "j.db")
    return request.getfixturevalue("postgres").url


@pytest.fixture
def stopping() -> Iterator[Postgres]:
    """A server of the test's own, which it may stop."""
    with served() as server:
        yield server


async def test_of_two_engines_that_resume_one_run_at_once_one_wins(make_workflow: MakeWorkflow, place: str) -> None:
    waits = "tools: {}\nnodes: {a: {code: '1', approve: true}, b: {code: x, with: {x: '${nodes.a.output}'}}}\n"
    async with Engine(journal=place) as first, Engine(journal=place) as second:
        for _ in range(10):
            run = await first.run(make_workflow(waits, models=""))
            async with asyncio.TaskGroup() as group:
                tries = [group.create_task(_resume(engine, run.run_id)) for engine in (first, second)]
            results = [task.result() for task in tries]
            assert results.count("done") == 1, results
            assert all("under way" in other or "is done" in other for other in results if other != "done")
            commits = [event for event in await first.history(run.run_id) if isinstance(event, NodeCommitted)]
            assert sorted(event.node_id for event in commits) == ["a", "b"]


def committed(node_id: str) -> NodeCommitted:
    return NodeCommitted(node_id=NodeId(node_id), plan_version=1, input_digest="x", output=1, attempt=1)


async def _resume(engine: Engine, run_id: str) -> str:
    try:
        return (await engine.resume(run_id, {"a": True})).status
    except RunError as exc:
        return str(exc)


async def test_a_run_whose_process_was_killed_can_be_resumed_at_once(
    serve_model: ServeModel, place: str, tmp_path: Path
) -> None:
    server = await serve_model(ANSWERS)
    path = tmp_path / "w.yaml"
    path.write_text(WORKFLOW)
    async with Engine(journal=place, base_url=server.base_url) as engine:
        child = begin(RUNNER, str(path), place, server.base_url, folder=tmp_path)
        while len(server.requests) < 5:
            assert child.code is None
            await asyncio.sleep(0.005)
        with pytest.raises(RunError, match="under way elsewhere"):
            await engine.resume("last")
        await child.kill()
        before = {e.node_id for e in await engine.history("last") if isinstance(e, NodeCommitted)}
        asked = len(server.requests)
        result = await engine.resume("last")
    assert result.status == "done", result.error
    assert not before & {str(request["node"]) for request in list(server.requests)[asked:]}


async def test_a_process_that_lost_its_lease_can_commit_nothing_more(tmp_path: Path) -> None:
    from sqlalchemy import update

    from planloom.state.store import Store
    from planloom.state.tables import leases

    async with Journal(tmp_path / "j.db") as journal:
        await journal.take(RunId("r"))
        log = RunLog(journal, RunId("r"))
        await log.commit(committed("a"))
        thief = Store(journal.url)
        thief.open()
        thief.transact(lambda connection: connection.execute(update(leases).values(expires_at=0.0)))
        taken = thief.take("r", "somebody else")
        with pytest.raises(JournalError, match="another process"):
            await log.commit(committed("b"))
        assert thief.beat([taken]) == []
        thief.close()
        assert [event.node_id for event in await journal.events(RunId("r")) if isinstance(event, NodeCommitted)] == [
            "a"
        ]


async def test_a_database_that_goes_away_for_a_while_loses_nothing(
    serve_model: ServeModel, stopping: Postgres, tmp_path: Path
) -> None:
    server = await serve_model("rehearsal: 1\nrules: [{text: ok, delay: 100ms}]\n")
    async with Engine(journal=stopping.url, base_url=server.base_url) as engine:
        handle = await engine.submit(Workflow.from_text(WORKFLOW))
        while len(server.requests) < 3:
            await asyncio.sleep(0.01)
        await asyncio.to_thread(stopping.stop)
        await asyncio.sleep(0.3)
        await asyncio.to_thread(stopping.start)
        result = await handle.result()
        assert result.status == "done", result.error
        assert json.dumps(result.as_json()) == json.dumps((await engine.view(handle.run_id)).result().as_json())
    assert len(server.requests) == 12


async def test_a_lease_and_rows_whose_commit_was_never_answered_are_still_ours(postgres: Postgres) -> None:
    between = Between(postgres.port)
    async with Journal(postgres.url.replace(str(postgres.port), str(between.port))) as journal:
        between.lose_commit = True
        await journal.take(RunId("unanswered"))
        log = RunLog(journal, RunId("unanswered"))
        between.lose_commit = True
        await log.commit(committed("a"))
        await log.commit(committed("b"))
        assert between.lost == 2
        assert await journal.events(log.run_id) == log.events
    between.close()


async def test_a_run_is_taken_up_by_the_same_engine_after_an_outage_that_was_too_long(
    serve_model: ServeModel, stopping: Postgres
) -> None:
    held = "{when: {node: n3}, text: ok, delay: 3s, times: 1}"  # the database is away before its answer comes
    server = await serve_model(f"rehearsal: 1\nrules: [{held}, {{text: ok}}]\n")
    async with Engine(journal=Journal(stopping.url, outage_s=0.3), base_url=server.base_url) as engine:
        handle = await engine.submit(Workflow.from_text(WORKFLOW))
        while len(server.requests) < 4:
            await asyncio.sleep(0.01)
        await asyncio.to_thread(stopping.stop)
        with pytest.raises(JournalError, match="cannot write"):
            await handle.result()
        await asyncio.to_thread(stopping.start)
        before = {e.node_id for e in await engine.history(handle.run_id) if isinstance(e, NodeCommitted)}
        asked = len(server.requests)
        result = await engine.resume(handle.run_id)
        assert result.status == "done", result.error
        assert result.as_json() == (await engine.view(handle.run_id)).result().as_json()
        other = await engine.run(Workflow.from_text(WORKFLOW))
        assert other.status == "done", other.error
    assert before
    assert not before & {str(request["node"]) for request in list(server.requests)[asked : asked + 12 - len(before)]}


async def test_a_run_under_way_is_not_taken_up_again_by_its_own_engine(serve_model: ServeModel, tmp_path: Path) -> None:
    server = await serve_model("rehearsal: 1\nrules: [{text: ok, delay: 50ms}]\n")
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        handle = await engine.submit(Workflow.from_text(WORKFLOW))
        with pytest.raises(RunError, match="is under way in this process"):
            await engine.resume(handle.run_id)
        assert (await handle.result()).status == "done"
    assert len(server.requests) == 12


def test_an_owner_is_dead_only_when_its_process_is_known_to_be_gone() -> None:
    mine = this_process("x")
    machine, pid, began, _ = mine.split("|")
    assert not is_dead(mine)
    assert is_dead(f"{machine}|{pid}|{int(began) + 1}|x")
    assert is_dead(f"{machine}|4194303|5|x")
    assert not is_dead("elsewhere|1|1|x")


def test_a_killed_process_that_nobody_waited_for_is_dead() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    machine = this_process("x").split("|")[0]
    began = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[19]
    owner = f"{machine}|{child.pid}|{began}|x"
    assert not is_dead(owner)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert is_dead(owner)
    child.wait()
