"""Order, rails and layout of plans."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from planloom.cli.layout import lay_out
from planloom.cli.order import edges_of, in_order
from planloom.cli.rails import MARK, rails
from planloom.core.plan import Node, NodeId


def shape(**needs: str) -> dict[NodeId, frozenset[NodeId]]:
    return {NodeId(name): frozenset(NodeId(need) for need in text.split()) for name, text in needs.items()}


@st.composite
def dags(draw: st.DrawFn) -> dict[NodeId, frozenset[NodeId]]:
    size = draw(st.integers(0, 14))
    names = draw(st.permutations([NodeId(f"n{i}") for i in range(size)]))
    return {
        name: frozenset(draw(st.sets(st.sampled_from(names[:i]), max_size=4))) if i else frozenset()
        for i, name in enumerate(names)
    }


def test_edges_come_from_references_needs_and_conditions() -> None:
    nodes = {
        NodeId("a"): Node(id=NodeId("a"), goal="A"),
        NodeId("b"): Node(id=NodeId("b"), goal="after ${nodes.a.output.x}"),
        NodeId("c"): Node(id=NodeId("c"), goal="C", needs=(NodeId("b"),), when="nodes.a.output > 1"),
    }
    assert edges_of(nodes) == shape(a="", b="a", c="a b")


def test_a_reference_that_is_half_written_is_no_edge_yet() -> None:
    assert edges_of({NodeId("a"): Node(id=NodeId("a"), goal="${nodes.")}) == shape(a="")


def test_order_keeps_the_order_given_where_edges_allow() -> None:
    assert in_order("dcba", shape(a="", b="", c="a", d="")) == ["d", "b", "a", "c"]


def test_nodes_on_a_cycle_are_listed_last() -> None:
    assert in_order("abc", shape(a="b", b="a", c="")) == ["c", "a", "b"]


@given(dags())
def test_every_node_stands_after_what_it_waits_for(edges: dict[NodeId, frozenset[NodeId]]) -> None:
    order = in_order(sorted(edges), edges)
    place = {node: i for i, node in enumerate(order)}
    assert sorted(order) == sorted(edges)
    assert all(place[need] < place[node] for node, needs in edges.items() for need in needs)


def test_rails_draw_a_fan_and_its_join() -> None:
    edges = shape(load="", a="load", b="load", c="load", join="a b c")
    lines = rails(list(edges), edges)
    assert lines is not None
    assert [line.replace(MARK, "●").rstrip() for line in lines.values()] == [
        "●",
        "├─●",
        "├─┼─●",
        "● │ │",
        "●─┴─╯",
    ]


def test_a_node_below_a_leaf_does_not_look_like_its_reader() -> None:
    edges = shape(leaf="", other="")
    lines = rails(list(edges), edges)
    assert lines is not None
    assert [line.index(MARK) for line in lines.values()] == [0, 2]


def test_a_plan_too_wide_for_rails_gets_none() -> None:
    edges = shape(**{"s": ""}, **{f"w{i}": "s" for i in range(30)}, end=" ".join(f"w{i}" for i in range(30)))
    assert rails(list(edges), edges, max_lanes=10) is None


@given(dags())
def test_rails_have_one_mark_a_line_and_one_width(edges: dict[NodeId, frozenset[NodeId]]) -> None:
    lines = rails(in_order(edges, edges), edges, max_lanes=40)
    assert lines is not None
    assert lines.keys() == edges.keys()
    assert all(line.count(MARK) == 1 for line in lines.values())
    assert len({len(line) for line in lines.values()}) <= 1


@given(dags())
def test_layout_goes_right_and_keeps_nodes_apart(edges: dict[NodeId, frozenset[NodeId]]) -> None:
    layout = lay_out(edges)
    assert layout.nodes.keys() == edges.keys()
    for node, needs in edges.items():
        for need in needs:
            path = layout.edges[need, node]
            assert (path[0], path[-1]) == (layout.nodes[need], layout.nodes[node])
            assert all(b.column == a.column + 1 for a, b in pairwise(path))
    by_column: dict[int, list[float]] = {}
    for spot in layout.nodes.values():
        by_column.setdefault(spot.column, []).append(spot.row)
    for rows in by_column.values():
        assert all(below - above > 0.99 for above, below in pairwise(sorted(rows)))
        assert min(rows) >= 0


def test_a_node_without_needs_stands_beside_its_first_reader() -> None:
    layout = lay_out(shape(a="", b="a", c="b late", late=""))
    assert layout.nodes[NodeId("late")].column == 1
