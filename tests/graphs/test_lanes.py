"""Timing of plans, and lanes that cost less without costing time."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planloom.core.plan import NodeId
from planloom.graphs.critical_path import timing
from planloom.graphs.lanes import Lane, assign
from planloom.graphs.schedule import Deps

ROOT = Path(__file__).parents[2]


def deps(**needs: str) -> Deps:
    return {NodeId(name): frozenset(NodeId(need) for need in found.split()) for name, found in needs.items()}


@st.composite
def plans(draw: st.DrawFn) -> tuple[Deps, dict[NodeId, tuple[Lane, ...]]]:
    names = [NodeId(f"n{i}") for i in range(draw(st.integers(0, 7)))]
    needs = [draw(st.sets(st.sampled_from(names[:i]))) if i else set[NodeId]() for i in range(len(names))]
    edges = {name: frozenset(found) for name, found in zip(names, needs, strict=True)}
    lane = st.builds(Lane, name=st.just("x"), seconds=st.floats(0, 9), cost=st.floats(0, 9))
    return edges, {name: tuple(draw(st.lists(lane, min_size=1, max_size=3))) for name in names}


def test_the_critical_path_is_the_heaviest_chain_and_the_others_have_slack() -> None:
    found = timing(deps(a="", b="a", c="a", d="b c"), {NodeId("a"): 1, NodeId("b"): 1, NodeId("c"): 5, NodeId("d"): 1})
    assert (found.path, found.makespan_s, found.work_s) == (("a", "c", "d"), 7, 8)
    assert found.slack == {"a": 0, "b": 4, "c": 0, "d": 0}
    assert found.parallelism == pytest.approx(8 / 7)
    assert timing({}, {}).path == ()


@given(plans(), st.one_of(st.none(), st.floats(0, 50)))
def test_lanes_cost_no_more_and_end_no_later(
    plan: tuple[Deps, dict[NodeId, tuple[Lane, ...]]], deadline_s: float | None
) -> None:
    edges, lanes = plan
    chosen = assign(edges, lanes, deadline_s=deadline_s)
    usual = timing(edges, {name: found[0].seconds for name, found in lanes.items()}).makespan_s
    ends = timing(edges, {name: lane.seconds for name, lane in chosen.items()}).makespan_s
    assert ends <= max(usual, deadline_s or 0.0) + 1e-6
    assert all(chosen[name].cost <= found[0].cost for name, found in lanes.items())
    assert all(chosen[name] in found for name, found in lanes.items())


def test_two_lanes_of_equal_worth_are_no_reason_to_stop() -> None:
    n, usual = NodeId("n"), Lane(name="usual", seconds=1, cost=2)
    twins = (Lane(name="one", seconds=1, cost=1), Lane(name="two", seconds=1, cost=1))
    assert assign({n: frozenset()}, {n: (usual, *twins)}) == {n: twins[0]}


@pytest.mark.parametrize(("deadline_s", "cheap"), [(None, {"b"}), (8.0, {"b", "a"}), (100.0, {"a", "b", "c"})])
def test_a_node_goes_to_the_cheap_lane_only_where_there_is_time(deadline_s: float | None, cheap: set[str]) -> None:
    def two(seconds: float) -> tuple[Lane, Lane]:
        return Lane(name="usual", seconds=seconds, cost=seconds), Lane(
            name="cheap", seconds=2 * seconds, cost=seconds / 2
        )

    lanes = {NodeId("a"): two(2), NodeId("b"): two(1), NodeId("c"): two(4)}
    chosen = assign(deps(a="", b="", c="a"), lanes, deadline_s=deadline_s)
    assert {name for name, lane in chosen.items() if lane.name == "cheap"} == cheap


def test_the_benchmark_of_human_plans_runs_the_scheduler_and_prints_json(tmp_path: Path) -> None:
    rows = [
        {"id": "fork", "seconds": {"1": 60.0, "2": 3e8, "3": 30.0}, "edges": [["1", "3"]], "gold_makespan_s": 3e8},
        {"id": "chain", "seconds": {"1": 1.5, "2": 2.5}, "edges": [["1", "2"], ["2", "END"]], "gold_makespan_s": 4.0},
        {"id": "wrong", "seconds": {"1": 1.0}, "edges": [], "gold_makespan_s": 2.0},
    ]
    (tmp_path / "plans.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = [sys.executable, "-P", "benchmarks/plans.py", "--data", str(tmp_path / "plans.jsonl"), "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    tally = json.loads(done.stdout)
    assert (tally["plans"], tally["equal_to_gold"], tally["differing"]) == (3, 2, ["wrong"])
    assert (tally["moved"], tally["late"]) == (2, 0)
    assert (tally["one_worker"], tally["workers_left"]) == (1, 3 + 1 + 1)
