"""A run's time line: what is laid out, and that pictures and pages hold whatever a model wrote as mere text."""

import io
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from rich.console import Console

from planloom.cli.axis import axis_of
from planloom.cli.gantt import Gantt, Lane, Span
from planloom.cli.gantt_html import as_html
from planloom.cli.gantt_svg import as_svg
from planloom.cli.lanes import gantt_of
from planloom.cli.rows import table
from planloom.cli.timeline import timeline
from planloom.core import events as ev
from planloom.core.plan import Node, NodeId, Plan
from planloom.core.view import RunView

START = 1000.0
DAY_S = 86_400.0
NASTY = "</title></svg><script>alert(1)</script><img src=x onerror=alert(2)>\"' onload='x'\x00\x1b[31m\ud800\ufffe&"
MakeNode = Callable[..., Node]


def lane(gantt: Gantt, name: str) -> Lane:
    return next(lane for lane in gantt.lanes if lane.name == name)


def drawn(lane: Lane) -> list[tuple[str, float, float]]:
    return [(span.kind, round(span.start, 3), round(span.end, 3)) for span in lane.spans]


@pytest.fixture
def approved(story, make_node: MakeNode) -> list[ev.AnyEvent]:
    """A run that was cut off after 4 s, taken up 10 minutes later, and waited two days for a person."""
    story.begin(make_node("load"), make_node("send", "load", approve=True), budget={"usd": 0.5})
    story.attempt("load", 1, "mini", 1.0).fails("load", 1, 2.0).decides("load", 1, "promote", 2.0, "big")
    story.attempt("load", 2, "big", 3.0).call("load", 1, "mini", 4.0, 0.2)
    story.events.append(ev.RunResumed(at=START + 604, interrupted=(NodeId("load"),)))
    story.attempt("load", 3, "big", 604.0).call("load", 3, "big", 605.0, 0.1).commits("load", 3, 606.0, 1)
    story.events.append(ev.NodeHeld(at=START + 606, node_id=NodeId("send"), reason="it writes", node_digest="d"))
    story.ends("waiting", 606.0)
    later = 606 + 2 * DAY_S
    story.events.append(ev.RunResumed(at=START + later))
    story.events.append(ev.NodeHeld(at=START + later, node_id=NodeId("send"), reason="it writes", node_digest="d"))
    story.events.append(
        ev.ApprovalGiven(at=START + later, node_id=NodeId("send"), approved=True, bound_to="d", note="go on")
    )
    story.attempt("send", 1, "", later).commits("send", 1, later + 2, 1).ends("done", later + 2)
    return story.events


def test_pauses_between_processes_are_cut_down_and_told(approved: list[ev.AnyEvent]) -> None:
    axis = gantt_of(approved, START).axis
    assert [pause.seconds for pause in axis.pauses] == [600.0, 2 * DAY_S]
    assert axis.worked_s == 8.0
    assert 8.0 < axis.length < 9.0
    assert [second for second, _ in axis.ticks(9)] == [0, 1, 2, 3, 4, 5, 6, 7, 8]
    assert axis.worked(START + 1, START + 606) == 5.0


def test_attempts_waits_and_marks_stand_where_they_happened(approved: list[ev.AnyEvent]) -> None:
    gantt = gantt_of(approved, START)
    wide = gantt.axis.pauses[0].end - gantt.axis.pauses[0].start
    assert drawn(lane(gantt, "load")) == [
        ("slot", 0.0, 1.0),
        ("slot", 2.0, 3.0),
        ("failed", 1.0, 2.0),
        ("cut", 3.0, 4.0),
        ("passed", round(4 + wide, 3), round(6 + wide, 3)),
    ]
    assert [(mark.kind, mark.at) for mark in lane(gantt, "load").marks] == [("promote", 2.0)]
    send = lane(gantt, "send")
    assert [span.kind for span in send.spans] == ["human", "needs", "passed"]
    assert send.spans[0].end == pytest.approx(gantt.axis.pauses[1].end)
    assert [(mark.kind, mark.title) for mark in send.marks] == [
        ("held", "waits for a human: it writes"),
        ("approved", "approved by a human\ngo on"),
    ]
    assert lane(gantt, "load").facts == "×3 · 4.00s · $0.3000"


def test_neither_a_person_nor_the_start_of_a_process_counts_as_a_wait_for_a_place(story, make_node: MakeNode) -> None:
    def asks(at: float) -> None:
        story.events.append(ev.NodeHeld(at=START + at, node_id=NodeId("c"), reason="ask", node_digest=f"d{at}"))

    def answers(at: float, asked: float) -> None:
        given = ev.ApprovalGiven(at=START + at, node_id=NodeId("c"), approved=True, bound_to=f"d{asked}")
        story.events.append(given)

    story.begin(make_node("c"), make_node("other"))
    story.attempt("c", 1, "mini", 0.0).fails("c", 1, 1.0)
    asks(1)
    answers(31, 1)  # answered while the run was at work
    story.attempt("c", 2, "mini", 31.0).fails("c", 2, 32.0)
    asks(32)
    story.ends("waiting", 32.0)
    story.events.append(ev.RunResumed(at=START + 500))
    answers(500, 32)
    story.attempt("other", 1, "mini", 502.0)  # two seconds of imports
    story.attempt("c", 3, "mini", 503.0).commits("c", 3, 504.0, 1).ends("done", 505.0)
    c = lane(gantt_of(story.events, START), "c")
    assert [round(span.end - span.start, 3) for span in c.spans if span.kind == "slot"] == [1.0]
    assert c.facts == "×3 · 3.00s"
    (row,) = [row for row in table(story.view, START).rows if row.id == "c"]
    assert row.seconds == 3.0


def test_an_attempt_that_a_kill_cut_off_ends_with_the_last_event_of_its_process(approved: list[ev.AnyEvent]) -> None:
    cut = RunView(approved).nodes[NodeId("load")].attempts[1]
    assert (cut.cut_off, cut.ended_at) == (True, START + 4)


def test_who_points_at_an_attempt_sees_its_evidence(approved: list[ev.AnyEvent]) -> None:
    failed = next(span for span in lane(gantt_of(approved, START), "load").spans if span.kind == "failed")
    assert failed.label == "mini"
    assert "load, attempt 1 on mini (model-mini)" in failed.title
    assert "check: too small" in failed.title
    assert "✗ expr: output > 3, found 2" in failed.title


def test_cost_is_a_line_that_only_rises_beside_its_cap(approved: list[ev.AnyEvent]) -> None:
    gantt = gantt_of(approved, START)
    assert [round(spent, 3) for _, spent in gantt.costs] == [0.0, 0.2, 0.3, 0.3]
    places = [place for place, _ in gantt.costs]
    assert places == sorted(places)
    assert gantt.cap_usd == 0.5
    assert ">cap $0.5000<" in as_svg(gantt)
    assert ">cap $0.5000<" in as_html(gantt)


def test_the_planner_has_a_row_with_what_came_of_each_plan(story, make_node: MakeNode) -> None:
    plan = Plan(version=1, nodes={NodeId("a"): make_node("a")})
    story.begin()
    story.events += [
        ev.PlanRequested(at=START + 1, purpose="plan", rung="big"),
        ev.PlanRejected(at=START + 2, purpose="plan", findings=()),
        ev.PlanRequested(at=START + 2, purpose="repair", rung="big"),
        ev.PlanReady(at=START + 4, plan=plan, purpose="repair"),
        ev.PlanRequested(at=START + 5, purpose="replan", rung="big"),
    ]
    dead = gantt_of(story.events, START + 6, live=False)
    assert drawn(lane(dead, "planner")) == [("failed", 1.0, 2.0), ("plan", 2.0, 4.0), ("cut", 5.0, 6.0)]
    assert drawn(lane(gantt_of(story.events, START + 6), "planner"))[-1][0] == "running"


def test_the_elements_of_a_map_are_rows_of_their_own_and_show_in_the_maps(flights) -> None:
    cities = lane(gantt_of(flights.events, START + 4), "cities 1/3")
    assert [element.name for element in cities.elements] == ["cities[0]", "cities[1]"]
    assert [span.kind for element in cities.elements for span in element.spans] == ["passed", "running"]


def test_a_picture_gives_rows_to_a_few_elements_and_first_to_those_that_failed(story, make_node: MakeNode) -> None:
    story.begin(make_node("m", map="${inputs.x}"))
    story.events.append(ev.NodeExpanded(at=START, node_id=NodeId("m"), elements=100))
    for index in range(100):
        story.attempt(f"m[{index}]", 1, "mini", 0.0)
        if index == 77:
            story.fails("m[77]", 1, 1.0).gives_up("m[77]", 1.0, "too small")
        else:
            story.commits(f"m[{index}]", 1, 1.0, 1)
    picture = ElementTree.fromstring(as_svg(gantt_of(story.events, START + 2)))
    texts = [text.text or "" for text in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert "m[77]" in texts
    assert "… 94 more" in texts
    assert len([text for text in texts if text.startswith("m[")]) == 6
    page = as_html(gantt_of(story.events, START + 2))
    assert page.count('class="row') > 100
    assert "<details" in page
    assert " open" not in page.split("<summary>")[0].rpartition("<details")[2]


@pytest.fixture
def hostile(story) -> Gantt:
    """A run in which every text that a model can write tries to break out."""
    bad = NodeId(NASTY)
    story.begin(Node(id=bad, goal=NASTY))
    story.events += [
        ev.PlanRequested(at=START, purpose="plan", rung=NASTY),
        ev.ReplanFailed(at=START + 1, failed=(bad,), reason=NASTY),
        ev.NodeHeld(at=START + 1, node_id=bad, reason=NASTY, node_digest="d"),
        ev.ApprovalGiven(at=START + 1, node_id=bad, approved=False, bound_to="d", note=NASTY),
        ev.ToolCalled(at=START + 2, node_id=bad, attempt=1, tool=NASTY, args={}, seconds=1.0, error=NASTY),
    ]
    story.attempt(bad, 1, NASTY, 1.0).call(bad, 1, NASTY, 2.0, 0.1).fails(bad, 1, 2.0, NASTY)
    story.decides(bad, 1, "promote", 2.0, NASTY)
    return gantt_of(story.events, START + 3, NASTY)


def test_a_picture_is_well_formed_and_nothing_breaks_out_of_it(hostile: Gantt) -> None:
    root = ElementTree.fromstring(as_svg(hostile))
    tags = {element.tag.partition("}")[2] for element in root.iter()}
    assert tags <= {"svg", "defs", "pattern", "rect", "g", "title", "text", "path", "circle"}
    names = {name for element in root.iter() for name in element.attrib}
    assert not {name for name in names if name.startswith("on") or "href" in name}
    assert any("<script>alert(1)</script>" in (title.text or "") for title in root.iter() if title.text)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.names: set[str] = set()
        self.depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.names |= {name for name, _ in attrs}
        self.depth += tag not in ("meta", "input", "path")

    def handle_endtag(self, tag: str) -> None:
        self.depth -= tag != "path"


def test_a_page_loads_and_runs_nothing(hostile: Gantt) -> None:
    page = as_html(hostile)
    page.encode()
    reader = _Reader()
    reader.feed(page)
    plain = {"html", "head", "meta", "title", "style", "body", "header", "h1", "p", "form", "label", "input", "main"}
    assert reader.tags <= plain | {"div", "span", "b", "i", "u", "svg", "path", "details", "summary", "footer"}
    assert not {name for name in reader.names if name.startswith("on") or name in ("src", "href", "action")}
    assert reader.depth == 0
    assert "default-src 'none'" in page
    assert "url(" not in page
    assert "http" not in page.replace("http-equiv", "")


def test_a_thousand_nodes_make_a_page_that_can_be_sent(story, make_node: MakeNode) -> None:
    story.begin(*(make_node(f"n{index}") for index in range(1000)))
    for index in range(1000):
        story.attempt(f"n{index}", 1, "mini", index * 0.1).commits(f"n{index}", 1, index * 0.1 + 1, 1)
    page = as_html(gantt_of(story.events, START + 200))
    assert page.count('<div class="name"') > 1000
    assert len(page) < 800_000


def test_a_run_with_one_event_can_be_drawn() -> None:
    started = ev.RunStarted(
        at=START,
        run_id="r",
        name="",
        workflow={},
        base_dir="/",
        inputs={},
        rehearsal=False,  # type: ignore[arg-type]
    )
    gantt = gantt_of([started], START)
    ElementTree.fromstring(as_svg(gantt))
    assert "<main>" in as_html(gantt)


@pytest.mark.parametrize("worked", [0.004, 0.9, 7.0, 95.0, 4_000.0, 200_000.0])
def test_ticks_are_round_few_and_begin_at_0(worked: float) -> None:
    started = ev.RunEnded(at=START, status="done", output=None)
    ticks = axis_of([started], START + worked).ticks(10)
    assert ticks[0] == (0.0, 0.0)
    assert 4 <= len(ticks) <= 11
    steps = {round(later[0] - earlier[0], 6) for earlier, later in pairwise(ticks)}
    assert len(steps) == 1


def test_a_span_that_a_person_cut_short_is_not_drawn_past_the_end(approved: list[ev.AnyEvent]) -> None:
    gantt = gantt_of(approved, START)
    spans: list[Span] = [span for lane in gantt.lanes for span in lane.spans]
    assert all(0 <= span.start <= span.end <= gantt.axis.length + 1e-9 for span in spans)


WORKFLOW = "version: 1\nname: one\nnodes: {a: {code: '1'}}\noutput: ${nodes.a.output}\n"


def test_show_draws_a_picture_or_a_page(cli, tmp_path) -> None:
    (tmp_path / "w.yaml").write_text(WORKFLOW)
    assert cli("run", "w.yaml").code == 0
    assert cli("show", "last", "--format", "html", "-o", "run.html").code == 0
    assert (tmp_path / "run.html").read_text().startswith("<!doctype html>")
    ElementTree.fromstring(cli("show", "last", "-f", "svg").out)
    for wrong in (("-f", "svg", "--json"), ("-f", "html", "--events"), ("-o", "run.html"), ("-f", "svg", "-o", "no/x")):
        ran = cli("show", "last", *wrong)
        assert (ran.code, ran.out) == (2, ""), wrong


def test_the_terminal_tells_attempts_waits_and_decisions_apart_without_colours(approved: list[ev.AnyEvent]) -> None:
    console = Console(file=io.StringIO(), width=100, record=True)
    console.print(timeline(gantt_of(approved, START), 100))
    head, load, send, cost, legend = console.export_text().splitlines()[:5]
    assert "┆ a pause of 10m00s, ┆ a pause of 2d00h" in head
    assert [cell for cell in "░╍↑┄┆━" if cell not in load] == []
    assert [cell for cell in "·‖✓━" if cell not in send] == []
    assert "▅" in cost or "▆" in cost
    assert "█ $0.3000 of $0.5000" in cost
    assert "cut off" in legend
