"""kill -9 in the middle of a panel, then resume: it goes on from the last version of its board."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest
from programs import RUNNER, begin
from support import ModelServer, ServeModel

from planloom.core import events as ev
from planloom.core.plan import RunId
from planloom.engine import Engine
from planloom.state.journal import Journal

WORKFLOW = """
version: 1
name: killed
models: {mini: {model: "openai:mini", price: {input: 1, output: 1}}}
nodes:
  early:
    goal: Look
    panel: {members: {a: {role: Reads.}, b: {role: Doubts.}}}
  late:
    goal: Look at ${nodes.early.output}
    panel: {members: {a: {role: Reads.}, b: {role: Doubts.}}}
budget: {usd: 5}
output: "${nodes.late.output}"
"""
SCRIPT = """
rehearsal: 1
rules:
  - {when: {node: late, attempt: 1, %s}, hang: true}
  - {when: {role: member, round: 1}, json: {claims: [{subject: "{{member}}", statement: "{{node}} by {{member}}."}]}}
  - {when: {role: member}, json: {claims: [{subject: "{{member}}", statement: "More by {{member}}."}]}}
  - {when: {node: early, role: moderator}, json: {result: "early", decided: true}}
  - {when: {role: moderator, round: 1}, json: {result: "first", decided: false}}
  - {when: {role: moderator}, json: {result: "second", decided: true}}
"""


@dataclass(frozen=True)
class Case:
    id: str
    hangs: str
    again: list[tuple[str, int]]
    """Role and round of what is asked of the late panel after the kill."""


CASES = [
    Case("moderator", "role: moderator, round: 1", [("moderator", 1), ("member", 2), ("member", 2), ("moderator", 2)]),
    Case("member", "member: a, round: 2", [("member", 2), ("member", 2), ("moderator", 2)]),
]


def waits(server: ModelServer, hangs: str) -> bool:
    """Tell whether the request that never gets an answer has come, and everything that comes beside it."""
    asked = [(str(r["role"]), r.get("round")) for r in server.requests if r["node"] == "late"]
    return asked[-1:] == [("moderator", 1)] if "moderator" in hangs else asked.count(("member", 2)) == 2


async def killed(server: ModelServer, case: Case, workflow: Path, journal: Path) -> None:
    child = begin(RUNNER, str(workflow), str(journal), server.base_url, folder=journal.parent)
    while not waits(server, case.hangs):
        assert child.code is None
        await asyncio.sleep(0.005)
    await child.kill()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
async def test_a_killed_panel_goes_on_from_its_last_board_and_a_committed_one_is_not_asked_again(
    serve_model: ServeModel, tmp_path: Path, case: Case
) -> None:
    server = await serve_model(SCRIPT % case.hangs)
    workflow, path = tmp_path / "w.yaml", tmp_path / "j.db"
    workflow.write_text(WORKFLOW)
    await killed(server, case, workflow, path)
    async with Journal(path) as journal:
        run_id = RunId((await journal.runs(1))[0].run_id)
        boards = [e.board for e in await journal.events(run_id) if isinstance(e, ev.BoardAdvanced)]
    before = len(server.requests)
    async with Engine(journal=path, base_url=server.base_url) as engine:
        result = await engine.resume(run_id)
    assert (result.status, result.output) == ("done", "second"), result.error
    again = [(str(r["node"]), str(r["role"]), r["round"]) for r in list(server.requests)[before:]]
    assert again == [("late", role, number) for role, number in case.again]
    panel = result.nodes["late"].panel
    assert panel is not None
    assert (panel.attempt, panel.stopped, panel.board.round) == (2, "agreement", 2)
    assert panel.board.claims[:2] == boards[-1].claims[:2]
    assert [claim.statement for claim in panel.board.claims] == [
        "late by a.",
        "late by b.",
        "More by a.",
        "More by b.",
    ]
    assert result.cost_usd <= 5
