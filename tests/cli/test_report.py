import io
from collections.abc import Callable

import pytest
from rich.console import Console, RenderableType

from planloom.cli.hints import hints
from planloom.cli.lanes import gantt_of
from planloom.cli.report import EXIT_CODES, attempts, closing, print_result, record
from planloom.cli.timeline import timeline
from planloom.core import events as ev
from planloom.core.plan import Node, NodeId

START = 1000.0


def drawn(what: RenderableType, width: int = 120) -> str:
    console = Console(file=io.StringIO(), width=width, record=True, legacy_windows=False)
    console.print(what)
    return console.export_text()


def test_every_status_has_its_exit_code() -> None:
    assert EXIT_CODES == {
        "done": 0,
        "partial": 1,
        "failed": 1,
        "cancelled": 1,
        "running": 1,
        "interrupted": 1,
        "waiting": 3,
    }


def test_the_record_shows_attempts_with_rung_and_evidence(flights) -> None:
    flights.commits("delays", 3, 5.0, 7).ends("done", 6.0, {"answer": 42})
    out = drawn(record(flights.view, gantt_of(flights.events, START + 6), START + 6, 120))
    for part in (
        "delays #1",
        "mini (model-mini)",
        "too small",
        "expected output > 3, found 2",
        "delays #3",
        "passed 1 check",
        '"answer": 42',
    ):
        assert part in out


@pytest.mark.parametrize("width", [60, 80, 140])
def test_evidence_has_lines_of_its_own_as_wide_as_the_screen(story, make_node: Callable[..., Node], width: int) -> None:
    said = " ".join(f"word{i}" for i in range(40))
    story.begin(make_node("a_node_with_a_name")).attempt("a_node_with_a_name", 1, "a_rung", 0.0)
    story.call("a_node_with_a_name", 1, "a_rung", 1.0, 0.25).fails("a_node_with_a_name", 1, 1.0, said)
    lines = drawn(attempts(story.view.result().nodes.values(), width), width).splitlines()
    assert all(len(line) <= width for line in lines)
    assert lines[0].rstrip().endswith("1 call  $0.2500")
    told = [line for line in lines if "word" in line]
    assert all(len(line.rstrip()) > width - 10 for line in told[:-1])


def test_evidence_that_the_message_already_tells_is_not_told_twice(story, make_node: Callable[..., Node]) -> None:
    story.begin(make_node("a")).attempt("a", 1, "mini", 0.0).fails("a", 1, 1.0, "expr: output > 3: found 2")
    assert drawn(record(story.view, gantt_of(story.events, START + 1), START + 1, 120)).count("output > 3") == 1


def test_the_time_line_shows_when_each_node_ran(story, make_node: Callable[..., Node]) -> None:
    story.begin(make_node("first"), make_node("second", "first"))
    story.attempt("first", 1, "m", 0.0).commits("first", 1, 5.0)
    story.attempt("second", 1, "m", 5.0).commits("second", 1, 10.0).ends("done", 10.0)
    lines = drawn(timeline(gantt_of(story.events, START + 10), 80)).splitlines()
    first, second = lines[1], lines[2]
    assert lines[0].startswith("time line, 10.0s")
    assert first.rindex("━") < second.index("━") + 1
    assert abs(first.count("━") - second.count("━")) <= 1


def test_a_run_in_which_nothing_ran_has_an_empty_time_line(story) -> None:
    assert "nothing ran" in drawn(timeline(gantt_of(story.begin().events, START), 80))


def test_a_waiting_run_says_how_to_answer(story, make_node: Callable[..., Node]) -> None:
    story.begin(make_node("send"))
    story.events.append(ev.NodeHeld(at=START, node_id=NodeId("send"), reason="it writes", node_digest="x"))
    story.events.append(ev.PlanHeld(at=START, plan_digest="y"))
    story.ends("waiting", 1.0)
    assert hints(story.view) == [
        "waits for a human: send: it writes",
        "waits for a human: plan: the plan waits for approval",
        "planloom approve r1 send plan",
        "planloom approve r1 --reject send --reject plan",
    ]


def test_a_write_in_doubt_has_three_answers(story, make_node: Callable[..., Node]) -> None:
    story.begin(make_node("c"))
    held = ev.NodeHeld(at=START, node_id=NodeId("c"), reason="it may have happened", node_digest="x", kind="effect")
    story.events.append(held)
    story.ends("waiting", 1.0)
    assert hints(story.view, "postgresql://me:secret@db/runs")[2].endswith("--journal 'postgresql://me:***@db/runs'")
    again = "planloom approve r1 c --journal 'my runs.db'"
    assert [" ".join(hint.split()) for hint in hints(story.view, "my runs.db")] == [
        "waits for a human: c: it may have happened",
        f"c did happen: {again} --happened [--result JSON]",
        f"do c again: {again}",
        "give c up: planloom approve r1 --reject c --journal 'my runs.db'",
    ]


def test_a_failed_run_says_why_and_what_next(story, make_node: Callable[..., Node]) -> None:
    story.begin(make_node("a")).ends("failed", 1.0, error="a: too \x1b[31mlong")
    console = Console(file=io.StringIO(), width=80, record=True)
    print_result(console, story.view)
    out = console.export_text()
    assert "failed: a: too �[31mlong" in out
    assert "planloom resume r1" in out


def test_the_output_is_printed_whole_however_wide(story) -> None:
    story.begin().ends("done", 1.0, "word " * 100 + "end")
    file = io.StringIO()
    print_result(Console(file=file, width=40), story.view)
    assert file.getvalue() == "word " * 100 + "end\n"


def test_the_closing_line_tells_skipped_nodes_and_tiny_costs(story, make_node: Callable[..., Node]) -> None:
    story.begin(make_node("a"), make_node("b"), make_node("c"))
    story.attempt("a", 1, "mini", 0.0).call("a", 1, "mini", 1.0, 0.00001).commits("a", 1, 1.0)
    for name in ("b", "c"):
        story.events.append(ev.NodeSkipped(at=START + 1, node_id=NodeId(name), plan_version=1, reason="no"))
    assert closing(story.ends("done", 1.0).view.result()).startswith("done: 1/3 nodes (2 skipped), <$0.0001, ")


def test_the_closing_line_counts_nodes_and_not_elements(flights) -> None:
    flights.ends("partial", 6.0)
    line = closing(flights.view.result())
    assert line == "partial: 1/4 nodes, $0.0020, 2 calls, 2,000 tokens, 6.00s, run r1 REHEARSAL"


def test_what_the_planner_cost_is_told_apart(story, make_node: Callable[..., Node]) -> None:
    story.begin(make_node("a")).call(None, 1, "big", 1.0, 0.02).ends("done", 1.0)
    assert "$0.0200 of it for planning" in drawn(record(story.view, gantt_of(story.events, START), START, 120))
