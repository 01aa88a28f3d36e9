"""Literals that became references give back, filled in with the same inputs, what stood there before."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planloom.core.check import ExprCheck
from planloom.core.expr import evaluate
from planloom.core.json import Json
from planloom.core.parametric import Parametric, named, sources_of, stands_in
from planloom.core.plan import Node, NodeId
from planloom.core.refs import Scope, resolve

WORDS = st.sampled_from(["Bergen", "Bergen $", "$", "2024", "20", "a.b", "x-y", "${inputs.city}", "$${", "ox", "1.5"])
SCALARS = st.one_of(WORDS, st.integers(0, 3000), st.floats(0, 30), st.booleans(), st.none())
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3))
TEXTS = st.lists(st.one_of(WORDS, st.sampled_from([" ", ", ", "in ", "."])), max_size=8).map("".join)


def turned(inputs: Mapping[str, Json], node: Node) -> tuple[Node, Parametric]:
    turning = Parametric(sources=list(sources_of(inputs)), texts=[v for v in inputs.values() if isinstance(v, str)])
    return turning.node(node), turning


def node(goal: str = "", **values: Json) -> Node:
    return Node(id=NodeId("a"), goal=goal, inputs=values)


@given(st.dictionaries(st.sampled_from(["city", "year", "class", "o-k"]), VALUES, max_size=4), TEXTS, VALUES)
def test_filled_in_again_a_node_is_what_it_was(inputs: dict[str, Json], goal: str, value: Json) -> None:
    scope = Scope(inputs={"city": "unused", **inputs}, nodes={})
    before = node(goal, value=value)
    after, _ = turned(inputs, before)
    assert resolve(after.goal, scope) == resolve(before.goal, scope)
    assert resolve(dict(after.inputs), scope) == resolve(dict(before.inputs), scope)


@pytest.mark.parametrize(
    ("inputs", "value", "expected"),
    [
        ({"city": "Bergen"}, "Bergen", "${inputs.city}"),
        ({"order": {"id": 4711}}, 4711, "${inputs.order.id}"),
        ({"cities": ["Oslo", "Bergen"]}, ["Oslo", "Bergen"], "${inputs.cities}"),
        ({"value": 3}, 3, "${inputs.value}"),
        ({"n": 3}, 3, 3),
        ({"n": 30}, 30.0, 30.0),
        ({"on": True}, True, True),
        ({"a": "Bergen", "b": "Bergen"}, "Bergen", "Bergen"),
        ({"a": "Bergen", "value": "Bergen"}, "Bergen", "${inputs.value}"),
        ({"city": "Bergen"}, "bergen", "bergen"),
        ({"city": "Bergen"}, "reports/Bergen.md", "reports/Bergen.md"),
    ],
)
def test_a_whole_literal_is_turned_only_where_one_input_equals_it(
    inputs: dict[str, Json], value: Json, expected: Json
) -> None:
    assert turned(inputs, node(value=value))[0].inputs["value"] == expected


@pytest.mark.parametrize(
    ("goal", "expected"),
    [
        ("Rain in Bergen, 2024", "Rain in ${inputs.city}, ${inputs.year}"),
        ("Bergenhus in 20245 and 1.2024", "Bergenhus in 20245 and 1.2024"),
        ("It costs $2024", "It costs $2024"),
        ("${nodes.Bergen.output} of Bergen", "${nodes.Bergen.output} of ${inputs.city}"),
    ],
)
def test_whole_words_of_a_goal_are_turned(goal: str, expected: str) -> None:
    assert turned({"city": "Bergen", "year": 2024}, node(goal))[0].goal == expected


def test_a_text_in_an_expression_is_turned_and_a_number_or_pattern_is_not() -> None:
    exprs = ["'Bergen' in output", "len(output) > 2024", "matches(output, 'Bergen')", '"Bergen\'s" in output']
    before = Node(id=NodeId("a"), checks=tuple(ExprCheck(expr=expr) for expr in exprs))
    after, turning = turned({"city": "Bergen", "year": 2024}, before)
    found = [check.expr for check in after.checks if isinstance(check, ExprCheck)]
    assert found == ["inputs.city in output", *exprs[1:]]
    assert evaluate(found[0], {"inputs": {"city": "Oslo"}, "output": "Oslo is dry"})
    assert ("checks[2].expr", "Bergen") in {(left.field, left.was) for left in turning.left}


def test_what_cannot_be_told_is_left_with_its_reason() -> None:
    inputs: dict[str, Json] = {"task": "Days over 30 in 'New York'", "n": 3, "a": "Oslo", "b": "Oslo"}
    sql = "SELECT * FROM t WHERE c > 30 AND city = 'New York'"
    _, turning = turned(inputs, node(sql=sql, top=3, town="Oslo"))
    assert [(left.field, left.was, left.reason.partition(",")[0]) for left in turning.left] == [
        ("with.sql", "30", "inside a longer text"),
        ("with.sql", "New York", "inside a longer text"),
        ("with.top", 3, "equals inputs.n"),
        ("with.town", "Oslo", "equals several: inputs.a"),
    ]


def test_a_list_stands_in_a_text_when_all_of_it_does() -> None:
    assert stands_in(["Oslo", "Bergen"], "Compare Bergen with Oslo")
    assert not stands_in(["Oslo", "Paris"], "Compare Bergen with Oslo")
    assert not stands_in([], "Compare")


def test_new_inputs_have_names_of_their_own_and_each_value_one() -> None:
    found = named([("city", "Oslo"), ("town", "Oslo"), ("city", "Bergen"), ("a-b", 10), ("task", 11)], ["task"])
    assert found == {"city": "Oslo", "city_2": "Bergen", "a_b": 10, "task_2": 11}
