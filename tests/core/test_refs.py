"""References: how they are read, found and filled in."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planloom.core.json import Json
from planloom.core.plan import NodeId
from planloom.core.refs import RefError, Scope, Step, find_refs, parse_ref, read_path, resolve, walk

SCOPE = Scope(
    inputs={"task": "sum", "rows": [{"a": 1}, {"a": 2}], "odd key": {"x y": 3, "0": "zero"}, "none": None},
    nodes={NodeId("gather"): {"title": "T", "list": [10, 20]}, NodeId("my-node"): "text", NodeId("skipped"): None},
    item={"name": "it"},
    index=4,
)


@pytest.mark.parametrize(
    ("text", "root", "node_id", "path"),
    [
        ("inputs.task", "inputs", None, ("task",)),
        (" inputs.task ", "inputs", None, ("task",)),
        ("inputs.rows[1].a", "inputs", None, ("rows", 1, "a")),
        ('inputs["odd key"]', "inputs", None, ("odd key",)),
        ("inputs['odd key'][\"x y\"]", "inputs", None, ("odd key", "x y")),
        ('inputs[""]', "inputs", None, ("",)),
        ("nodes.gather.output", "nodes", "gather", ()),
        ("nodes.my-node.output", "nodes", "my-node", ()),
        ('nodes["my-node"].output[0].x-y', "nodes", "my-node", (0, "x-y")),
        ("nodes.output.output.output", "nodes", "output", ("output",)),
        ("item", "item", None, ()),
        ("item.name[3]", "item", None, ("name", 3)),
        ("index", "index", None, ()),
    ],
)
def test_what_follows_the_grammar_is_read(text: str, root: str, node_id: str | None, path: tuple[Step, ...]) -> None:
    ref = parse_ref(text)
    assert (ref.root, ref.node_id, ref.path) == (root, node_id, path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "inputs",
        "inputs[0]",
        "inputs.",
        "inputs..a",
        "inputs.a b",
        "inputs.a[",
        "inputs.a[-1]",
        "inputs.a[1:2]",
        "inputs.a[x]",
        'inputs["a]',
        "inputsx.a",
        "inputs-x",
        "nodes",
        "nodes.a",
        "nodes.a.result",
        "nodes[0].output",
        "nodes.a[output]",
        "index.a",
        "index[0]",
        "env.HOME",
        "output.x",
        "inputs.a | upper",
        "len(inputs.a)",
        "inputs.a[" + "9" * 5000 + "]",
        "inputs.a[١]",
    ],
)
def test_what_does_not_is_refused(text: str) -> None:
    with pytest.raises(RefError):
        parse_ref(text)


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("plain", "plain"),
        ("", ""),
        (7, 7),
        (None, None),
        ("${inputs.rows}", [{"a": 1}, {"a": 2}]),
        ("${inputs.rows[1].a}", 2),
        (" ${inputs.rows[1].a}", " 2"),
        ("${inputs.task}${inputs.task}", "sumsum"),
        ("rows: ${inputs.rows}", 'rows: [{"a": 1}, {"a": 2}]'),
        ("${inputs.none}", None),
        ("<${inputs.none}>", "<null>"),
        ("${nodes.skipped.output}", None),
        ("${nodes.skipped.output.deep[3].deeper}", None),
        ("${nodes.my-node.output}", "text"),
        ('${inputs["odd key"][0]}', "zero"),
        ("${item.name} ${index}", "it 4"),
        ("${index}", 4),
        ("$${inputs.task}", "${inputs.task}"),
        ("$$${inputs.task}", "$${inputs.task}"),
        ("$${", "${"),
        ("cost: $5 {x}", "cost: $5 {x}"),
        ({"a": ["${inputs.task}", {"b": "${nodes.gather.output.list[1]}"}]}, {"a": ["sum", {"b": 20}]}),
        ({"${inputs.task}": 1}, {"${inputs.task}": 1}),
    ],
)
def test_templates_are_filled_in(template: Json, value: Json) -> None:
    assert resolve(template, SCOPE) == value


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("${inputs.nope}", "no 'nope' in an object with none, odd key, rows, task"),
        ("${inputs.rows[2]}", "no 2 in a list of 2"),
        ("${inputs.rows.a}", "no 'a' in a list of 2"),
        ("${inputs.task.upper}", "no 'upper' in \"sum\""),
        ("x ${nodes.unknown.output}", "node 'unknown' has no output"),
        ("${", "without a closing }"),
        ("text ${ text", "without a closing }"),
        ("${a{b}}", "without a closing }"),
        ("${}", "expected ${inputs...}"),
    ],
)
def test_what_is_not_there_is_named(template: Json, message: str) -> None:
    with pytest.raises(RefError) as caught:
        resolve(template, SCOPE)
    assert message in str(caught.value)


def test_every_reference_is_found_with_its_field() -> None:
    template: Json = {"a": "${inputs.x} and ${nodes.b.output.c}", "d": [1, {"e": "${item}"}], "f": "$${inputs.no}"}
    found = [(field, ref.text) for field, ref in find_refs(template, "with")]
    assert found == [("with.a", "inputs.x"), ("with.a", "nodes.b.output.c"), ("with.d[1].e", "item")]


def test_a_malformed_reference_is_reported_with_its_field() -> None:
    with pytest.raises(RefError, match=r"^with\.a\[1\]: "):
        list(find_refs({"a": ["fine", "${nope}"]}, "with"))


def test_paths_of_checks_are_read_without_their_first_name() -> None:
    assert read_path("output") == ()
    assert read_path("output.rows[0].name") == ("rows", 0, "name")
    assert walk({"rows": [{"name": "n"}]}, read_path("output.rows[0].name"), "output") == "n"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
PIECES = st.sampled_from(
    [
        "${",
        "}",
        "$",
        "{",
        "inputs",
        "nodes",
        "item",
        "index",
        ".",
        "[",
        "]",
        '"',
        "'",
        "0",
        "99",
        "a",
        "output",
        " ",
        "é",
    ]
)
TEXT = st.lists(PIECES, max_size=14).map("".join) | st.text(max_size=20)


@given(text=TEXT, value=JSON)
def test_no_text_raises_anything_but_a_ref_error(text: str, value: Json) -> None:
    scope = Scope(inputs={"a": value}, nodes={NodeId("a"): value}, item=value, index=0)
    for attempt in (
        lambda: parse_ref(text),
        lambda: list(find_refs({"x": [text]})),
        lambda: resolve(text, scope),
        lambda: read_path(text),
    ):
        with contextlib.suppress(RefError):
            attempt()


@given(JSON)
def test_one_reference_alone_keeps_the_value_as_it_is(value: Json) -> None:
    assert resolve("${inputs.a}", Scope(inputs={"a": value}, nodes={})) == value
