"""Thousands of runs with crashes on a virtual clock; a planted bug must be found."""

import dataclasses

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from simulator import SimNode, Violation, World, simulate

from planloom.core import events as ev
from planloom.core.json import Json
from planloom.core.plan import Node
from planloom.graphs.drive import Driver

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
            )
        )
    return World(
        nodes=tuple(nodes),
        crashes=tuple(draw(st.lists(st.floats(0.0, 6.0), max_size=4))),
        commit_s=draw(st.sampled_from([0.0, 0.001, 0.05])),
        max_parallel=draw(st.integers(1, 4)),
        retry=draw(st.integers(0, 2)),
        replans=draw(st.integers(0, 2)),
        cap_usd=draw(st.sampled_from([None, None, None, 0.02, 0.05, 0.2])),
    )


@pytest.mark.timeout(240)
@settings(max_examples=2000, deadline=None, suppress_health_check=list(HealthCheck))
@given(worlds())
def test_no_promise_is_broken_in_thousands_of_runs_with_crashes(world: World) -> None:
    note(f"simulate({world!r})")
    result = simulate(world)
    lost = sum(node.passes_at is None for node in world.nodes)
    if world.crashes and world.cap_usd is None and (world.replans >= lost or not world.replans):
        calm = simulate(dataclasses.replace(world, crashes=()))
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
