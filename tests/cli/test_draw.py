from collections.abc import Callable
from xml.etree import ElementTree

from planloom.cli.draw import Card, Picture, as_mermaid, as_svg, as_text
from planloom.cli.pictures import of_run
from planloom.core.plan import Node, NodeId

SVG = "{http://www.w3.org/2000/svg}"
NASTY = NodeId("a")


def nasty() -> Picture:
    card = Card(id=NASTY, kind="code", goal='</text><script>alert("x")</script> & ${inputs.x}\x1b', facts='"] --> b')
    return Picture(title='t"\n---', subtitle="<&>", cards={NASTY: card}, edges={NASTY: frozenset()})


def test_svg_is_well_formed_and_text_cannot_break_out() -> None:
    root = ElementTree.fromstring(as_svg(nasty()))
    assert not list(root.iter(f"{SVG}script"))
    assert any("</text><script>" in (text.text or "") for text in root.iter(f"{SVG}text"))


def test_svg_draws_a_card_per_node_and_an_edge_per_dependency(flights) -> None:
    root = ElementTree.fromstring(as_svg(of_run(flights.view, 1004.0)))
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert {"load", "delays", "cities", "report"} <= set(texts)
    assert len(list(root.iter(f"{SVG}path"))) == 4
    assert any(text and "REHEARSAL" in text for text in texts)


def test_svg_colours_the_states_of_a_run(flights) -> None:
    svg = as_svg(of_run(flights.view, 1004.0))
    assert "#f0fdf4" in svg  # done
    assert "#ecfeff" in svg  # running


def test_an_empty_plan_is_still_a_picture() -> None:
    ElementTree.fromstring(as_svg(Picture(title="", subtitle="", cards={}, edges={})))


def test_mermaid_names_nodes_by_number_and_escapes_their_text() -> None:
    lines = as_mermaid(nasty()).splitlines()
    assert lines[1] == 'title: "t\' ---"'
    assert lines[3] == "flowchart LR"
    assert lines[4].startswith('  n0{{"<b>a</b><br/>')
    assert "<script>" not in lines[4]
    assert '"]' not in lines[4]


def test_mermaid_has_the_edges_and_the_states(flights) -> None:
    text = as_mermaid(of_run(flights.view, 1004.0))
    for part in ("n0 --> n1", "n0 --> n2", "n1 --> n3", "n2 --> n3", "class n0 done", "shape: procs"):
        assert part in text


def test_text_lists_nodes_with_their_edges(flights) -> None:
    lines = as_text(of_run(flights.view, 1004.0)).splitlines()
    assert lines[1].startswith("●")
    assert lines[2].startswith("├─◐")
    assert lines[4].startswith("○─╯")


def test_text_of_a_wide_plan_names_what_each_node_waits_for(story, make_node: Callable[..., Node]) -> None:
    wide = [make_node(f"w{i}") for i in range(40)]
    story.begin(*wide, make_node("end", *(node.id for node in wide)))
    lines = as_text(of_run(story.view, 1000.0)).splitlines()
    assert lines[1].endswith("after nothing")
    assert "after w0, w1, " in lines[-1]
