"""A panel on screen: in the record, on the time line, as lines to grep."""

import io
from collections.abc import Callable

import pytest
from rich.console import Console

from planloom.cli.gantt_html import as_html
from planloom.cli.gantt_svg import as_svg
from planloom.cli.lanes import gantt_of
from planloom.cli.lines import line
from planloom.cli.report import record
from planloom.core import events as ev
from planloom.core.board import Board, Contribution, Draft, Merge, moderate, write
from planloom.core.contradiction import contradictions
from planloom.core.plan import Node, NodeId
from planloom.core.view import RunView

START = 1000.0
N = NodeId("review")


@pytest.fixture
def panel(story, make_node: Callable[..., Node]) -> list[ev.AnyEvent]:
    """A panel of one round that ends with a contradiction left open; what it says tries to steer the terminal."""
    said = [("a", "It is 4.\x1b[31m", 4), ("b", "It is 5.", 5)]
    written = write(
        Board(), [Contribution(author=who, claims=(Draft(subject="n", statement=s, value=v),)) for who, s, v in said]
    )
    merged = moderate(written, Merge(result=5, decided=True))
    left = contradictions(merged, tolerance=0)
    story.begin(make_node("review")).attempt("review", 1, "mini", 0.0)
    for at, board in ((1.0, written), (2.0, merged)):
        story.events.append(ev.BoardAdvanced(at=START + at, node_id=N, attempt=1, board=board, contradictions=left))
    story.events.append(ev.PanelStopped(at=START + 3, node_id=N, attempt=1, reason="dissent", rounds=1, dissent=left))
    story.commits("review", 1, 4.0, 5).ends("done", 5.0, 5)
    return list(story.events)


def test_the_record_shows_why_it_stopped_what_stands_and_the_dissent(panel: list[ev.AnyEvent]) -> None:
    console = Console(file=io.StringIO(), width=120, record=True)
    console.print(record(RunView(panel), gantt_of(panel, START + 5), START + 5, 120))
    out = console.export_text()
    assert "review  dissent: 1 round, 2 claims" in out
    assert "c2 b: It is 5." in out
    assert "dissent: c1 a against c2 b: n: numbers differ: 4 and 5" in out
    assert "\x1b[31m" not in out


def test_the_time_line_marks_the_round_and_the_dissent(panel: list[ev.AnyEvent]) -> None:
    gantt = gantt_of(panel, START + 5)
    assert [(mark.kind, mark.at) for mark in gantt.lanes[0].marks] == [("round", 2.0), ("dissent", 3.0)]
    assert "c1 and c2: numbers differ: 4 and 5" in gantt.lanes[0].marks[1].title
    assert "≠" in as_svg(gantt)
    assert "≠" in as_html(gantt)


def test_the_lines_name_version_round_and_reason(panel: list[ev.AnyEvent]) -> None:
    lines = [line(event, START) for event in panel]
    (first, second) = [text for text in lines if "board-advanced" in text]
    assert "version=1 round=1 claims=2" in first
    assert "version=2 round=1 claims=2" in second
    (stopped,) = [text for text in lines if "panel-stopped" in text]
    assert 'reason=dissent rounds=1 dissent="c1 and c2: numbers differ: 4 and 5"' in stopped
