"""Where a node's work stands: on the ladder, between attempts, and when another process takes it up."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from support import MakeWorkflow

from planloom.core import events as ev
from planloom.core.check import Agree
from planloom.core.decision import Ask, Promote, Replan, Retry, Stop, Vote
from planloom.core.outcome import Failed, FailureKind, Usage
from planloom.core.plan import Effect, Effort, Node, NodeId, RunId
from planloom.engine import Engine
from planloom.graphs.context import Run, facts_of
from planloom.graphs.desk import RunDesk
from planloom.graphs.progress import Progress, ladder_of, take_up
from planloom.graphs.slots import Slots
from planloom.models.base import Reply, Request
from planloom.state.journal import Journal
from planloom.state.ledger import Caps, Ledger
from planloom.state.log import RunLog
from planloom.tools.sandbox import Sandbox
from planloom.tools.toolbox import Toolbox

A = NodeId("a")
NODE = Node(id=A, goal="g")
BAD = Failed(kind=FailureKind.CHECK, message="bad")
LADDER = ("mini", "mid", "big")
MODELS = "\nmodels: {mini: {model: 'openai:m'}, mid: {model: 'openai:d'}, big: {model: 'openai:b'}}\n"


@pytest.mark.parametrize(
    ("model", "effort", "rungs", "start"),
    [
        (None, "low", LADDER, 0),
        (None, "medium", LADDER, 0),
        (None, "high", LADDER, 1),
        ("mid", "low", LADDER, 1),
        ("big", "high", LADDER, 2),
        ("other", "high", ("other",), 0),
    ],
)
def test_a_node_starts_where_its_effort_or_its_model_says(
    model: str | None, effort: Effort, rungs: tuple[str, ...], start: int
) -> None:
    assert ladder_of(Node(id=A, model=model, effort=effort), LADDER) == (rungs, start)


def test_a_ladder_of_one_rung_is_enough_for_high_effort_and_code_climbs_none() -> None:
    assert ladder_of(Node(id=A, effort="high"), ("only",)) == (("only",), 0)
    assert ladder_of(Node(id=A, kind="code", code="1", model="mid", effort="high"), LADDER) == ((), 0)


def test_a_promotion_starts_the_count_anew_and_ends_a_vote() -> None:
    own = Agree(samples=3, quorum=2, path="output.x")
    for standing in (None, own):
        progress = Progress(rungs=LADDER, agree=standing, standing=standing)
        progress.failed(BAD)
        progress.carry_out(Vote(agree=Agree(samples=5, quorum=3), reason=""))
        assert (progress.agree, progress.voted, progress.failures_on_rung) == (Agree(samples=5, quorum=3), True, 1)
        progress.failed(BAD)
        progress.carry_out(Promote(rung="mid", reason=""))
        assert (progress.rung_name, progress.voted, progress.failures_on_rung) == ("mid", False, 0)
        assert progress.agree == standing
        assert progress.last is BAD


MakeRun = Callable[..., Run]


@pytest.fixture
async def make_run(make_workflow: MakeWorkflow, tmp_path: Path) -> AsyncIterator[MakeRun]:
    """Build a run from events of the past."""
    async with Journal(":memory:") as journal, Sandbox() as sandbox:

        def make(*past: ev.AnyEvent, policy: str = "route: {vote: {samples: 5, quorum: 3}}\n") -> Run:
            workflow = make_workflow(policy, models=MODELS)
            toolbox = Toolbox({}, base_dir=tmp_path, sandbox=sandbox)
            log, slots, ledger = RunLog(journal, RunId("r"), list(past)), Slots(1, asyncio.Semaphore(1)), Ledger(Caps())
            return Run(
                workflow=workflow,
                inputs={},
                log=log,
                ledger=ledger,
                node_ledgers={},
                toolbox=toolbox,
                sandbox=sandbox,
                rungs={},
                slots=slots,
                desk=RunDesk(log, slots, ledger),
                facts=facts_of(workflow, toolbox, by_hand=True),
                load=lambda ref: len,
            )

        yield make


def tried(number: int, rung: str, digest: str = "d", at: float = 10.0) -> ev.AttemptStarted:
    return ev.AttemptStarted(at=at, node_id=A, attempt=number, rung=rung, plan_version=1, input_digest=digest)


def ended(number: int, failed: Failed | None = BAD) -> ev.AttemptEnded:
    return ev.AttemptEnded(at=11.0, node_id=A, attempt=number, seconds=1, failed=failed)


def decided(number: int, action: ev.Action, rung: str = "") -> ev.Decided:
    return ev.Decided(at=11.0, node_id=A, attempt=number, action=action, reason="why", rung=rung)


async def test_new_work_starts_at_the_first_rung(make_run: MakeRun) -> None:
    progress = take_up(NODE, "d", make_run())
    assert (progress.rung_name, progress.attempt, progress.failures_on_rung) == ("mini", 0, 0)
    assert progress.decision is progress.last is None


async def test_other_work_of_the_same_node_starts_afresh_but_its_attempts_go_on_counting(make_run: MakeRun) -> None:
    past = (tried(1, "mini"), ended(1), decided(1, "promote", "mid"), tried(2, "mid"), ended(2), decided(2, "stop"))
    progress = take_up(NODE, "other inputs", make_run(*past))
    assert (progress.rung_name, progress.attempt, progress.failures_on_rung) == ("mini", 2, 0)
    assert progress.decision is progress.last is None


async def test_a_promotion_to_a_rung_that_a_corrected_workflow_does_not_have_is_decided_anew(make_run: MakeRun) -> None:
    progress = take_up(NODE, "d", make_run(tried(1, "mini"), ended(1), decided(1, "promote", "gone")))
    assert (progress.decision, progress.undecided, progress.rung_name) == (None, True, "mini")


@pytest.mark.parametrize(
    ("action", "decision"),
    [
        ("retry", Retry(reason="why")),
        ("vote", Vote(agree=Agree(samples=5, quorum=3), reason="why")),
        ("promote", Promote(rung="big", reason="why")),
        ("replan", Replan(reason="why")),
        ("ask", Ask(reason="why")),
        ("stop", Stop(reason="why")),
    ],
)
async def test_a_decision_that_was_not_carried_out_is_carried_out_first(
    make_run: MakeRun, action: ev.Action, decision: object
) -> None:
    past = (tried(1, "mid"), ended(1), decided(1, "retry"), tried(2, "mid"), ended(2), decided(2, action, "big"))
    progress = take_up(NODE, "d", make_run(*past))
    assert progress.decision == decision
    assert (progress.rung_name, progress.attempt, progress.failures_on_rung) == ("mid", 2, 2)
    assert progress.last == BAD
    assert not progress.voted


async def test_an_interrupted_attempt_is_made_again_on_its_rung_with_the_evidence_before_it(make_run: MakeRun) -> None:
    past = (tried(1, "mini"), ended(1), decided(1, "promote", "mid"), tried(2, "mid"), ev.RunResumed(interrupted=(A,)))
    progress = take_up(NODE, "d", make_run(*past))
    assert (progress.rung_name, progress.attempt, progress.failures_on_rung) == ("mid", 2, 0)
    assert progress.decision is None
    assert progress.last == BAD


async def test_an_interrupted_vote_goes_on_as_a_vote(make_run: MakeRun) -> None:
    past = (tried(1, "mini"), ended(1), decided(1, "vote"), tried(2, "mini"), ev.RunResumed(interrupted=(A,)))
    progress = take_up(NODE, "d", make_run(*past))
    assert (progress.voted, progress.agree) == (True, Agree(samples=5, quorum=3))
    assert progress.decision is None


async def test_a_vote_on_a_lower_rung_is_over(make_run: MakeRun) -> None:
    past = (
        *(tried(1, "mini"), ended(1), decided(1, "vote"), tried(2, "mini"), ended(2), decided(2, "promote", "mid")),
        *(tried(3, "mid"), ended(3), decided(3, "retry")),
    )
    progress = take_up(NODE, "d", make_run(*past))
    assert (progress.rung_name, progress.voted, progress.agree) == ("mid", False, None)
    assert progress.decision == Retry(reason="why")


async def test_a_run_that_ended_badly_and_is_taken_up_starts_its_failed_nodes_afresh(make_run: MakeRun) -> None:
    past = (
        *(tried(1, "mini"), ended(1), decided(1, "stop")),
        ev.RunEnded(at=12.0, status="failed", output=None),
        ev.RunResumed(at=20.0),
    )
    progress = take_up(NODE, "d", make_run(*past))
    assert (progress.rung_name, progress.attempt, progress.decision) == ("mini", 1, None)


@pytest.mark.parametrize(("effect", "asks"), [("pure", False), ("read", False), ("write", True)])
async def test_a_write_that_may_have_happened_is_not_made_again_without_asking(
    make_run: MakeRun, effect: Effect, asks: bool
) -> None:
    node = Node(id=A, goal="g", effect=effect)
    progress = take_up(node, "d", make_run(tried(1, "mini"), ev.RunResumed(interrupted=(A,))))
    assert isinstance(progress.decision, Ask) == asks


async def test_a_map_that_is_done_is_not_done_again_when_the_run_goes_on(
    make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    workflow = make_workflow(
        """
nodes:
  list: {code: "[1, 2]"}
  double: {code: "x * 2", map: "${nodes.list.output}", with: {x: "${item}"}}
  none: {code: "x", map: [], with: {x: "${item}"}}
  last: {code: "sum(rows)", with: {rows: "${nodes.double.output}"}, needs: [none], approve: true}
output: "${nodes.last.output}"
""",
        models="",
    )
    async with Engine(journal=tmp_path / "j.db") as engine:
        waiting = await engine.run(workflow)
        assert (waiting.status, waiting.nodes[NodeId("double")].output) == ("waiting", [2, 4])
    async with Engine(journal=tmp_path / "j.db") as engine:
        result = await engine.resume(waiting.run_id, {"last": True})
    assert (result.status, result.output) == ("done", 6)
    assert [len(result.nodes[NodeId(name)].attempts) for name in ("double[0]", "double[1]", "last")] == [1, 1, 1]


async def test_a_run_with_a_skipped_node_is_done_after_a_replan(make_workflow: MakeWorkflow, tmp_path: Path) -> None:

    async def big(request: Request) -> Reply:
        patch = '{"nodes": [{"id": "bad", "code": "2"}]}'
        return Reply(text=patch, finish="stop", usage=Usage(calls=1), model="fake")

    workflow = make_workflow(
        """
planner: {model: big}
nodes:
  skip: {code: "1", when: "1 > 2"}
  behind: {code: "1", needs: [skip]}
  bad: {code: "1 / 0"}
output: "${nodes.bad.output}"
""",
        models="\nmodels: {big: {model: 'openai:b'}}\n",
    )
    async with Engine(journal=tmp_path / "j.db", models={"big": big}) as engine:
        result = await engine.run(workflow)
    assert (result.status, result.output, result.error) == ("done", 2, "")
    assert [result.nodes[NodeId(name)].state for name in ("skip", "behind", "bad")] == ["skipped", "skipped", "done"]


async def test_a_failed_attempt_that_the_router_had_not_spoken_of_is_left_to_the_router(make_run: MakeRun) -> None:
    past = (tried(1, "mini"), ended(1), decided(1, "retry"), tried(2, "mini"), ended(2))
    progress = take_up(NODE, "d", make_run(*past))
    assert progress.undecided
    assert (progress.rung_name, progress.attempt, progress.failures_on_rung) == ("mini", 2, 2)
    assert (progress.last, progress.decision) == (BAD, None)


def wrote(number: int) -> ev.EffectStarted:
    return ev.EffectStarted(node_id=A, attempt=number, tool="gone", key="k", work="w", args={})


@pytest.mark.parametrize("end", [None, BAD, Failed(kind=FailureKind.TOOL, message="no answer")])
@pytest.mark.parametrize("closed", [False, True])
async def test_a_write_in_doubt_asks_however_its_attempt_and_its_run_ended(
    make_run: MakeRun, end: Failed | None, closed: bool
) -> None:
    run_end = (ev.RunEnded(at=12.0, status="cancelled", output=None), ev.RunResumed(at=20.0)) if closed else ()
    progress = take_up(NODE, "d", make_run(tried(1, "mini"), wrote(1), ended(1, end), *run_end))
    assert isinstance(progress.decision, Ask)
    assert not progress.undecided
