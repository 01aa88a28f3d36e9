import io
from collections.abc import Callable

from rich.console import Console, RenderableType

from planloom.cli.live import screen
from planloom.core import events as ev
from planloom.core.plan import Node, NodeId

START = 1000.0


def drawn(what: RenderableType, width: int = 120) -> list[str]:
    console = Console(file=io.StringIO(), width=width, record=True, legacy_windows=False)
    console.print(what)
    return [line.rstrip() for line in console.export_text().splitlines()]


def line_with(text: str, lines: list[str]) -> str:
    return next(line for line in lines if text in line)


def test_nodes_stand_in_dependency_order_with_their_edges(flights) -> None:
    lines = drawn(screen(flights.view, height=40, now=START + 4))
    marks = [line.split(" Goal")[0].split("  ")[0] for line in lines[1:5]]
    assert lines[1].startswith("●")
    assert lines[2].startswith("├─")
    assert "delays" in lines[2]
    assert "report" in lines[4]
    assert lines[4].startswith("○─╯"), marks


def test_a_row_shows_rung_attempts_seconds_cost_and_the_last_decision(flights) -> None:
    row = line_with("delays", drawn(screen(flights.view, height=40, now=START + 4)))
    for part in ("big", "×3", "3.00s", "$0.0010", "promote: output is 2"):
        assert part in row


def test_a_map_shows_how_many_elements_are_done(flights) -> None:
    lines = drawn(screen(flights.view, height=40, now=START + 4))
    assert "cities 1/3" in line_with("cities", lines)
    assert not any("cities[" in line for line in lines)


def test_totals_stand_beside_their_caps_and_a_rehearsal_says_so(flights) -> None:
    lines = drawn(screen(flights.view, height=40, now=START + 4))
    assert "REHEARSAL" in lines[0]
    assert "1/4 nodes · $0.0020 of $1.50 · 2 of 200 calls · 2,000 of 2M tokens · 4.00s" in lines[-1]


def test_the_last_decisions_are_listed(flights) -> None:
    lines = drawn(screen(flights.view, height=40, now=START + 4))
    assert "retry" in line_with("↻", lines)
    assert "delays → big" in line_with("↑", lines)


def test_what_waits_for_a_human_is_shown(flights) -> None:
    flights.events.append(ev.NodeHeld(at=START, node_id=NodeId("report"), reason="it writes", node_digest="x"))
    lines = drawn(screen(flights.view, height=40, now=START + 4))
    assert "  ? report waits for a human: it writes" in lines


def test_a_run_without_a_plan_says_who_is_at_work(story) -> None:
    view = story.begin().view
    assert any("planner is at work" in line for line in drawn(screen(view, height=40, now=START)))


def test_nodes_the_planner_is_still_writing_are_shown(story, make_node: Callable[..., Node]) -> None:
    story.begin()
    story.events.append(ev.NodePlanned(at=START, node=make_node("early")))
    assert any("early" in line for line in drawn(screen(story.view, height=40, now=START)))


def test_a_thousand_nodes_fit_the_terminal_and_what_matters_comes_first(story, make_node: Callable[..., Node]) -> None:
    story.begin(*(make_node(f"n{i}") for i in range(1000)))
    for i in range(500):
        story.attempt(f"n{i}", 1, "mini", 0.0).commits(f"n{i}", 1, 1.0)
    story.gives_up("n700", 1.0, "no luck")
    story.attempt("n800", 1, "mini", 1.0)
    lines = drawn(screen(story.view, height=24, now=START + 2))
    assert len(lines) < 24
    assert "n800" in lines[1]
    assert "n700" in lines[2]
    assert "n499" in lines[3]
    more = line_with("more:", lines)
    assert more.startswith("… 982 more: ")
    assert more.endswith("484 done, 498 pending")


def test_a_small_terminal_is_not_overrun(flights) -> None:
    assert len(drawn(screen(flights.view, height=10, now=START + 4), width=40)) <= 10


def test_text_from_models_cannot_steer_the_terminal(story, make_node: Callable[..., Node]) -> None:
    story.begin(make_node("a")).gives_up("a", 1.0, "\x1b[2Jgone [bold]x[/bold]\r\nfake")
    out = "\n".join(drawn(screen(story.view, height=20, now=START)))
    assert "\x1b" not in out
    assert "gone [bold]x[/bold] fake" in out


def test_a_kept_node_says_that_it_was_kept(story, make_node: Callable[..., Node]) -> None:
    story.begin(make_node("a"))
    story.events.append(
        ev.NodeCommitted(
            at=START, node_id=NodeId("a"), plan_version=2, input_digest="d", output=1, attempt=1, reused=True
        )
    )
    assert "kept from an earlier plan" in line_with("a ", drawn(screen(story.view, height=20, now=START))[1:])
