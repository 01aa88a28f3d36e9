"""Thousands of runs with crashes on a virtual clock; a planted bug must be found."""

import dataclasses
import os

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from simulator import simulate
from simworld import SimNode, Stop, Violation, World

from planloom.core import events as ev
from planloom.core.json import Json
from planloom.core.plan import Node
from planloom.graphs.context import Run
from planloom.graphs.drive import Driver
from planloom.graphs.progress import Progress, take_up
from planloom.state.ledger import Amount, Ledger
from planloom.state.log import RunLog

SECONDS = st.sampled_from([0.0, 0.1, 0.5, 1.0, 1.01, 3.0])


@st.composite
def worlds(draw: st.DrawFn) -> World:
    nodes: list[SimNode] = []
    for index in range(draw(st.integers(1, 7))):
        needs = draw(st.sets(st.integers(0, index - 1), max_size=3)) if index else set[int]()
        nodes.append(
            SimNode(
                needs=tuple(sorted(needs)),
                seconds=draw(SECONDS),
                passes_at=draw(st.sampled_from([0, 0, 0, 1, None])),
                approve=draw(st.sampled_from([False, False, False, True])),
                skipped=draw(st.sampled_from([False, False, False, False, True])),
                timeout_s=draw(st.sampled_from([None, None, None, 0.7])),
                writes=draw(st.sampled_from(["", "", "", "keyed", "verified", "plain"])),
            )
        )
    return World(
        nodes=tuple(nodes),
        stops=tuple(draw(st.lists(stops(), max_size=4))),
        commit_s=draw(st.sampled_from([0.0, 0.001, 0.05])),
        max_parallel=draw(st.integers(1, 4)),
        retry=draw(st.integers(0, 2)),
        replans=draw(st.integers(0, 2)),
        cap_usd=draw(st.sampled_from([None, None, None, 0.02, 0.05, 0.2])),
    )


def stops() -> st.SearchStrategy[Stop]:
    how = st.sampled_from(["crash", "crash", "crash", "cancel"])
    return st.builds(Stop, at=st.floats(0.0, 6.0), how=how, kept=st.sampled_from([0.0, 0.3, 0.7, 1.0]))


def lost(node: SimNode) -> bool:
    """Whether only a replan can help a node."""
    late = node.timeout_s is not None and node.seconds > node.timeout_s
    return not node.writes and (node.passes_at is None or late)


@pytest.mark.timeout(240)
@settings(max_examples=int(os.environ.get("WORLDS", "500")), deadline=None, suppress_health_check=list(HealthCheck))
@given(worlds())
def test_no_promise_is_broken_in_simulated_runs_with_crashes(world: World) -> None:
    note(f"simulate({world!r})")
    played = simulate(world)
    result = played.result
    hopeless = sum(map(lost, world.nodes))
    even = world.cap_usd is None and (world.replans >= hopeless or not world.replans)
    if world.stops and even and not played.by_hand:
        calm = simulate(dataclasses.replace(world, stops=())).result
        assert result.status == calm.status
        assert result.output == calm.output
        states = {node_id: node.state for node_id, node in result.nodes.items()}
        assert states == {node_id: node.state for node_id, node in calm.nodes.items()}


class CommitsLate(Driver):
    """A planted bug: dependents start before a result is durable."""

    async def _commit(self, node: Node, input_digest: str, output: Json, *, attempt: int, reused: bool = False) -> None:
        self._run.log.note(
            ev.NodeCommitted(
                node_id=node.id, plan_version=self._version, input_digest=input_digest, output=output, attempt=attempt
            )
        )


def test_the_simulator_finds_results_that_are_seen_before_they_are_durable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("planloom.graphs.run.Driver", CommitsLate)
    with pytest.raises(Violation, match="before n0 was durable"):
        simulate(World(nodes=(SimNode(), SimNode(needs=(0,))), commit_s=0.05))


class Spends(Ledger):
    """A planted bug: a reservation does not count what others have reserved."""

    async def reserve(self, amount: Amount) -> None:
        self.reserved = Amount(usd=self.reserved.usd + amount.usd, tokens=0, calls=self.reserved.calls + 1)


def test_the_simulator_finds_a_cap_that_is_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.Ledger", Spends)
    with pytest.raises((Violation, ExceptionGroup), match=r"pass 0\.02|unhandled"):
        simulate(World(nodes=(SimNode(), SimNode(), SimNode()), cap_usd=0.02))


def test_the_simulator_finds_a_write_that_is_made_again_without_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(nodes=(SimNode(writes="plain"),), stops=(Stop(0.8),))
    assert simulate(world).by_hand
    monkeypatch.setattr("planloom.graphs.progress._may_have_written", lambda *_: False)
    with pytest.raises(Violation, match="n0 was written 2 times"):
        simulate(world)


def test_the_simulator_finds_a_write_whose_intent_is_not_durable(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(nodes=(SimNode(writes="plain"),), stops=(Stop(0.8),))

    async def late(self: RunLog, event: ev.AnyEvent, *, sync: bool = False) -> None:
        self.note(event, sync=sync)
        if not isinstance(event, ev.EffectStarted):
            await self._journal.commit(self.run_id)

    monkeypatch.setattr(RunLog, "commit", late)
    with pytest.raises(Violation, match="n0 was written 2 times"):
        simulate(world)


def test_the_simulator_finds_a_failure_that_the_router_never_hears_of(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = (SimNode(passes_at=None, seconds=1.0), SimNode(seconds=3.0))
    worlds = [World(nodes=nodes, retry=0, replans=0, commit_s=0.0, stops=(Stop(1.5, kept=k / 40),)) for k in range(41)]

    def play() -> None:
        for world in worlds:
            simulate(world)

    play()

    def deaf(node: Node, input_digest: str, run: Run) -> Progress:
        return dataclasses.replace(take_up(node, input_digest, run), undecided=False)

    monkeypatch.setattr("planloom.graphs.drive.take_up", deaf)
    with pytest.raises(Violation, match="n0 failed 2 times on 'mini'"):
        play()
