"""kill -9 in the middle, then resume: no committed node is asked again."""

import asyncio
from pathlib import Path

import pytest
from programs import RUNNER, begin
from support import ServeModel

from planloom.core.events import NodeCommitted
from planloom.core.plan import RunId
from planloom.engine import Engine
from planloom.state.journal import Journal

SCRIPT = """
rehearsal: 1
rules:
  - {when: {node: "slow*"}, delay: 300ms, text: ok}
  - {text: ok, delay: 15ms}
"""
WORKFLOW = """
version: 1
name: killed
models:
  mini: {model: "openai:mini", price: {input: 1, output: 1}}
nodes:
%s
output: "${nodes.a7.output}"
"""


def chain(name: str, length: int) -> str:
    lines = [f"  {name}0: {{goal: start}}"]
    lines += [f'  {name}{i}: {{goal: go on, with: {{x: "${{nodes.{name}{i - 1}.output}}"}}}}' for i in range(1, length)]
    return "\n".join(lines)


async def committed(journal_path: Path) -> tuple[str, set[str]]:
    async with Journal(journal_path) as journal:
        runs = await journal.runs(1)
        events = await journal.events(RunId(runs[0].run_id))
        return runs[0].run_id, {event.node_id for event in events if isinstance(event, NodeCommitted)}


@pytest.mark.parametrize("wait_for", [2, 6, 11])
async def test_no_committed_node_is_asked_again_after_kill_9(
    serve_model: ServeModel, tmp_path: Path, wait_for: int
) -> None:
    server = await serve_model(SCRIPT)
    workflow, journal = tmp_path / "w.yaml", tmp_path / "j.db"
    workflow.write_text(WORKFLOW % "\n".join([chain("a", 8), chain("b", 8), "  slow: {goal: take long}"]))
    child = begin(RUNNER, str(workflow), str(journal), server.base_url, folder=tmp_path)
    while len(server.requests) < wait_for:
        assert child.code is None
        await asyncio.sleep(0.002)
    await child.kill()
    run_id, before = await committed(journal)
    asked_before = len(server.requests)
    async with Engine(journal=journal, base_url=server.base_url) as engine:
        result = await engine.resume(run_id)
        again = [str(request["node"]) for request in list(server.requests)[asked_before:]]
        assert result.status == "done", result.error
        assert not before & set(again)
        assert len(result.nodes) == 17
        view = await engine.view(run_id)
        assert view.result() == result
