"""What runs learn of the rungs: of workers and of panels, and which decisions follow."""

import pytest

from planloom.core import events as ev
from planloom.core.outcome import Failed, FailureKind, Usage
from planloom.core.panel import Member, Panel
from planloom.core.plan import Node, NodeId, Plan, RunId
from planloom.core.view import RunView
from planloom.graphs.experience import Experience, Start, experience_of
from planloom.graphs.first_rung import explores
from planloom.models.prices import Price
from planloom.state.journal import Journal
from planloom.state.visits import Visits

A = NodeId("a")
MODELS = {"mini": ("mini-1", Price.flat(1e-6, 1e-6)), "big": ("big-1", Price.flat(2e-5, 2e-5))}
PANEL = Panel(members=(Member(name="x", role="reads"), Member(name="y", role="counts")))
WORKER = Node(id=A, goal="Do")
REVIEW = Node(id=A, goal="Do", kind="panel", panel=PANEL)


def went(node: Node, run_id: str, *attempts: tuple[str, FailureKind | None]) -> RunView:
    """Return a run of one node: rungs in turn, and how each attempt failed, if it did."""
    events: list[ev.AnyEvent] = [
        ev.RunStarted(run_id=RunId(run_id), name="n", workflow={}, base_dir="/", inputs={}, rehearsal=False),
        ev.PlanReady(plan=Plan(version=1, nodes={A: node}), purpose="plan"),
    ]
    for number, (rung, kind) in enumerate(attempts, 1):
        failed = Failed(kind=kind, message="no") if kind else None
        events += [
            ev.AttemptStarted(node_id=A, attempt=number, rung=rung, plan_version=1, input_digest="d"),
            *(
                ev.CallEnded(
                    call_id=f"{number}-{call}",
                    node_id=A,
                    attempt=number,
                    rung=rung,
                    model=f"{rung} served {call}",
                    usage=Usage(calls=1),
                    cost_usd=1e-3 if rung == "mini" else 2e-2,
                    seconds=1.0,
                )
                for call in range(2)
            ),
            ev.AttemptEnded(node_id=A, attempt=number, seconds=1.0, failed=failed),
        ]
    return RunView(events)


async def learned(journal: Journal, *views: RunView) -> Experience:
    visits = Visits(journal, "w")
    for view in views:
        await (await experience_of(visits, MODELS)).learn(view)
    return await experience_of(visits, MODELS)


@pytest.mark.parametrize("node", [WORKER, REVIEW], ids=lambda node: node.kind)
async def test_workers_and_panels_start_where_past_ones_succeeded_and_say_why(node: Node) -> None:
    climbed = [("mini", FailureKind.CHECK), ("big", None)]
    async with Journal(":memory:") as journal:
        nothing = await learned(journal)
        assert nothing.start(node, ["mini", "big"], 0) is None
        known = await learned(journal, *(went(node, f"r{number}", *climbed) for number in range(30)))
    told = "mini: 0 of 30 alike succeeded; big: 30 of 30 alike succeeded"
    effort = "effort medium counts as high; " if node.kind == "worker" else ""
    assert known.start(node, ["mini", "big"], 0) == Start(1, effort + told)


async def test_a_panel_and_a_worker_with_the_same_goal_and_panels_of_other_members_are_other_work() -> None:
    other = Node(id=A, goal="Do", kind="panel", panel=Panel(members=PANEL.members[::-1]))
    async with Journal(":memory:") as journal:
        known = await learned(journal, went(REVIEW, "r1", ("mini", None)))
    assert [known.start(node, ["mini"], 0) for node in (WORKER, other)] == [None, None]
    assert known.start(REVIEW, ["mini"], 0) == Start(0, "mini: 1 of 1 alike succeeded")


async def test_a_start_that_ignores_past_runs_says_so_and_a_named_model_is_left_alone() -> None:
    named = Node(id=A, goal="Do", model="mini")
    run_id = next(name for name in map(str, range(1000)) if explores(name, A))
    async with Journal(":memory:") as journal:
        known = await learned(
            journal, went(WORKER, "r1", ("mini", FailureKind.CHECK)), went(named, "r2", ("mini", None))
        )
    told = known.start(WORKER, ["mini", "big"], 0, run_id)
    assert told == Start(0, "one start in twenty ignores past runs; mini: 1 of 2 alike succeeded")
    assert known.start(named, ["mini"], 0) is None


async def test_a_provider_that_is_down_teaches_nothing() -> None:
    async with Journal(":memory:") as journal:
        known = await learned(journal, went(WORKER, "r1", ("mini", FailureKind.TRANSPORT)))
    assert known.start(WORKER, ["mini"], 0) is None
