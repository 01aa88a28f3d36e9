"""What past runs tell of a node: whole nodes, not attempts, and real runs before rehearsed ones."""

from planloom.core import events as ev
from planloom.core.outcome import Failed, FailureKind, Usage
from planloom.core.plan import Node, NodeId, Plan, RunId
from planloom.core.view import RunView
from planloom.graphs.past import Past, Spread

N = NodeId("n")
NODE = Node(id=N, goal="Do it")
BAD = Failed(kind=FailureKind.CHECK, message="no")


def run(*attempts: tuple[NodeId, str, float, float, bool], node: Node = NODE, rehearsal: bool = False) -> RunView:
    """A run that is done, with attempts as (id, rung, start, end, passed); each costs a cent and ten tokens."""
    view = RunView()
    view.apply(
        ev.RunStarted(at=0.0, run_id=RunId("r"), name="w", workflow={}, base_dir="/", inputs={}, rehearsal=rehearsal)
    )
    view.apply(ev.PlanReady(at=0.0, plan=Plan(version=1, nodes={node.id: node}), purpose="plan"))
    for number, (part, rung, start, end, passed) in enumerate(attempts, start=1):
        view.apply(
            ev.AttemptStarted(at=start, node_id=part, attempt=number, rung=rung, plan_version=1, input_digest="d")
        )
        usage = Usage(input_tokens=10, calls=1)
        view.apply(
            ev.CallEnded(
                at=end,
                call_id=str(number),
                node_id=part,
                attempt=number,
                rung=rung,
                model="m",
                usage=usage,
                cost_usd=0.01,
                seconds=1,
            )
        )
        failed = None if passed else BAD
        view.apply(ev.AttemptEnded(at=end, node_id=part, attempt=number, seconds=end - start, failed=failed))
    view.apply(ev.NodeCommitted(at=99.0, node_id=node.id, plan_version=1, input_digest="d", output=1, attempt=1))
    view.apply(ev.RunEnded(at=100.0, status="done", output=1))
    return view


def test_a_node_takes_all_its_attempts_on_whichever_rung() -> None:
    first = run((N, "mini", 1, 3, False), (N, "big", 10, 14, True))
    past = Past([first, run((N, "mini", 1, 2, True))])
    took = past.of(NODE)
    assert took is not None
    assert (took.runs, took.seconds, took.tokens) == (
        2,
        Spread(low=1, mean=3.5, high=6),
        Spread(low=10, mean=15, high=20),
    )
    assert took.passed == {"mini": (1, 2), "big": (1, 1)}
    assert (past.runs, past.rehearsed) == (2, False)


def test_elements_of_a_map_run_side_by_side() -> None:
    node = Node(id=N, goal="Do ${item}", map=[1, 2])
    took = Past([run((NodeId("n[0]"), "mini", 1, 5, True), (NodeId("n[1]"), "mini", 2, 6, True), node=node)]).of(node)
    assert took is not None
    assert (took.seconds.mean, took.usd.mean) == (5, 0.02)


def test_rehearsals_count_only_where_there_is_nothing_else() -> None:
    rehearsed, real = run((N, "mini", 1, 2, True), rehearsal=True), run((N, "mini", 1, 9, True))
    alone, both = Past([rehearsed]), Past([rehearsed, real]).of(NODE)
    assert alone.rehearsed
    assert alone.of(NODE) is not None
    assert both is not None
    assert both.seconds.high == 8


def test_other_work_is_not_known() -> None:
    assert Past([run((N, "mini", 1, 2, True))]).of(Node(id=N, goal="Do another thing")) is None
    assert Past().of(NODE) is None
