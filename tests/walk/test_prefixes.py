"""A process can die between any two rows of its journal: taken up from there, a run ends as if it had not."""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from support import MakeWorkflow

from planloom import tool
from planloom.core import events as ev
from planloom.core.errors import ToolError
from planloom.core.outcome import Usage
from planloom.core.plan import RunId
from planloom.core.result import RunResult
from planloom.engine import Engine
from planloom.models.base import Reply, Request
from planloom.state.journal import Journal
from planloom.state.log import RunLog

WORKFLOW = """
route: {retry: 1, promote: true}
nodes:
  retried: {goal: x, checks: [{expr: "output == 'right'"}]}
  lost: {goal: x, checks: [{expr: "output == 'right'"}]}
  keyed: {tool: keyed, with: {what: k}}
  verified: {tool: verified, with: {what: v}}
  plain: {tool: plain, with: {what: p}}
  odd: {tool: odd, with: {what: o}}
"""


@dataclass
class Receiver:
    """Counts the writes that arrive; one with a key that it has seen already changes nothing."""

    count: dict[str, int] = field(default_factory=dict[str, int])
    keys: set[str] = field(default_factory=set[str])

    def take(self, what: str) -> str:
        self.count[what] = self.count.get(what, 0) + 1
        return f"got {what}"

    def tools(self) -> dict[str, Callable[..., object]]:
        @tool(effect="write")
        def keyed(what: str, idempotency_key: str) -> str:
            if idempotency_key in self.keys:
                return f"got {what}"
            self.keys.add(idempotency_key)
            return self.take(what)

        def found(what: str) -> str | None:
            return f"got {what}" if what in self.count else None

        @tool(effect="write", verify=found)
        def verified(what: str) -> str:
            return self.take(what)

        @tool(effect="write")
        def plain(what: str) -> str:
            return self.take(what)

        @tool(effect="write")
        def odd(what: str) -> str:
            self.take(what)
            raise ToolError("odd", "it arrived, but the answer was lost")

        return {"keyed": keyed, "verified": verified, "plain": plain, "odd": odd}


async def answer(request: Request) -> Reply:
    """Be right on the second attempt, or never."""
    text = "right" if request.node_id == "retried" and request.attempt > 1 else "wrong"
    return Reply(text=text, finish="stop", usage=Usage(input_tokens=1, output_tokens=1, calls=1), model="m")


def tries(result: RunResult, node: str) -> int:
    """Attempts that came to an end of their own."""
    return sum(attempt.failure != "interrupted" for attempt in result.nodes[node].attempts)


async def test_a_run_ends_the_same_from_any_prefix_of_its_journal(make_workflow: MakeWorkflow, tmp_path: Path) -> None:
    place, receiver = tmp_path / "j.db", Receiver()
    engine = Engine(journal=place, models={"mini": answer, "big": answer}, tools=receiver.tools())
    async with engine, Journal(place) as journal:
        calm = await engine.run(make_workflow(WORKFLOW))
        assert calm.status == "waiting"
        events = await engine.history(calm.run_id)
        for length in range(1, len(events)):
            past = events[:length]
            for arrived in (False, True) if _open(past) else (False,):
                _bring(receiver, past, arrived=arrived)
                await _cut(place, journal, calm.run_id, past)
                _compare(calm, await engine.resume(calm.run_id), past)
                assert set(receiver.count.values()) == {1}, (receiver.count, length, past[-1])


async def _cut(place: Path, journal: Journal, run_id: RunId, past: Sequence[ev.AnyEvent]) -> None:
    """Leave only `past` of a run, and nothing of its checkpoints."""
    with sqlite3.connect(place) as database:
        for table in ("events", "leases", "checkpoints", "writes"):
            database.execute(f"DELETE FROM {table}")
    database.close()
    log = RunLog(journal, run_id)
    for event in past:
        log.note(event)
    await journal.commit(run_id)


def _compare(calm: RunResult, again: RunResult, past: Sequence[ev.AnyEvent]) -> None:
    where = f"cut behind event {len(past)}, {past[-1]}"
    for node in calm.nodes.values():
        if node.id == "plain" and "plain" in {begun.tool for begun in _open(past)}:
            assert again.nodes[node.id].state == "held", where  # nobody can know
            continue
        assert (again.nodes[node.id].state, again.nodes[node.id].output) == (node.state, node.output), where
        assert tries(again, node.id) <= tries(calm, node.id) + _unkept(past, node.id), where


def _open(past: Sequence[ev.AnyEvent]) -> list[ev.EffectStarted]:
    """Return the writes of which only the intent is known."""
    ended = {event.key for event in past if isinstance(event, ev.EffectEnded)}
    return [event for event in past if isinstance(event, ev.EffectStarted) and event.key not in ended]


def _bring(receiver: Receiver, past: Sequence[ev.AnyEvent], *, arrived: bool) -> None:
    """Bring the receiver to where the events leave it; an open write has arrived, or not."""
    begun = [event for event in past if isinstance(event, ev.EffectStarted)]
    there = begun if arrived else [event for event in begun if event not in _open(past)]
    receiver.count = {str(event.args["what"]): 1 for event in there}
    receiver.keys = {event.key for event in there}


def _unkept(past: Sequence[ev.AnyEvent], node: str) -> int:
    """Attempts that ended well but whose result was not kept: one, or none."""
    kept = any(isinstance(event, ev.NodeCommitted) and event.node_id == node for event in past)
    return 0 if kept else sum(isinstance(e, ev.AttemptEnded) and e.node_id == node and not e.failed for e in past)
