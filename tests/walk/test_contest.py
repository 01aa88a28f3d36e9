"""Two real processes resume one run at the same moment: one of them does all of it, the other is refused."""

import asyncio
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from kills.contest import contend, send
from programs import FORK
from support import MakeWorkflow

from planloom.core.events import ApprovalGiven, NodeCommitted, RunResumed
from planloom.engine import Engine

ROUNDS = 20
NODES = "nodes: {gate: {code: '1', approve: true}, sent: {tool: send, with: {n: '${nodes.gate.output}', path: PATH}}}\n"


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A journal of each kind."""
    if request.param == "sqlite":
        return str(tmp_path / "j.db")
    return request.getfixturevalue("postgres").url


async def test_of_two_processes_that_resume_a_run_at_once_one_does_it_all(
    make_workflow: MakeWorkflow, place: str, tmp_path: Path
) -> None:
    async with Engine(journal=place, tools={"send": send}) as engine:
        lines = [_begun(contend, place) for _ in range(2)]
        assert [await asyncio.to_thread(line.recv) for line in lines] == ["ready", "ready"]
        for number in range(ROUNDS):
            box = tmp_path / f"box{number}"
            waiting = await engine.run(make_workflow(NODES.replace("PATH", str(box)), models=""))
            assert waiting.status == "waiting"
            for line in lines:
                line.send(waiting.run_id)
            told = [await asyncio.to_thread(line.recv) for line in lines]
            assert told.count("done") == 1, told
            assert any(f"run {waiting.run_id} is under way elsewhere" in it or "is done" in it for it in told), told
            events = await engine.history(waiting.run_id)
            kinds = [type(event) for event in events]
            assert (kinds.count(RunResumed), kinds.count(ApprovalGiven), kinds.count(NodeCommitted)) == (1, 1, 2)
            assert box.read_text() == "x"
        for line in lines:
            line.send("")


def _begun(target: Callable[[str, Connection], None], journal: str) -> Connection:
    here, there = FORK.Pipe()
    FORK.Process(target=target, args=(journal, there), daemon=True).start()
    there.close()
    return here
