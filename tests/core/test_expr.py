"""Expressions: what they may say, what they may not, and that none of them hangs."""

import ast
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planloom.core.expr import ExprError, evaluate, names_in, nodes_in
from planloom.core.json import Json
from planloom.core.pattern import PatternError, check_pattern, has_match

NAMES: dict[str, Json] = {
    "output": {
        "title": "A title",
        "rows": [{"id": 1, "price": 2.5}, {"id": 2, "price": 3}],
        "items": ["a", "b"],
        "keys": {},
        "none": None,
        "_id": 9,
    },
    "inputs": {"task": "t", "limit": 3},
    "nodes": {"a": {"output": {"ok": True}}, "b-c": {"output": [1]}},
    "xs": list(range(9000)),
    "rows": [{"id": f"id{n}", "n": n} for n in range(2000)],
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3 == 7", True),
        ("len(output.title) < 80", True),
        ("output['title'] == output.title", True),
        ("output.rows[0].price + output.rows[-1].price", 5.5),
        ("all(row.price > 2 for row in output.rows)", True),
        ("[row.id for row in output.rows if row.price > 2.7]", [2]),
        ("sum([row.price for row in output.rows])", 5.5),
        ("sum(row.id for row in output.rows) == 3", True),
        ("sorted([3, 1, 2]) == [1, 2, 3]", True),
        ("max(output.rows[0].id, 7)", 7),
        ("max(['aa', 'b'], key=len)", "aa"),
        ("lower('ÄB') + upper('c')", "äbC"),
        (r"matches('^A t\w+$', output.title)", True),
        ("'title' in output and 'x' not in output", True),
        ("'itl' in output.title", True),
        ("1 < inputs.limit <= 3", True),
        ("output.none is None and output.none == null", True),
        ("true and not false", True),
        ("'yes' if inputs.task == 't' else 'no'", "yes"),
        ("round(2.567, 1)", 2.6),
        ("set([1, 1, 2]) == set([2, 1])", True),
        ("str(1) + '%'", "1%"),
        ("7 % 4", 3),
        ("2 ** 10", 1024),
        ("'ab' * 2", "abab"),
        ("{'a': 1}.a", 1),
        ("${inputs.limit} + ${ inputs.limit }", 6),
        ("${output.title} == 'A title'", True),
        ("${nodes.a.output.ok}", True),
        ("nodes['b-c'].output[0]", 1),
        ("output.items[1]", "b"),
        ("len(output.items) == 2 and len(output.keys) == 0", True),
        ("output._id", 9),
        ("'$5' == '$' + '5'", True),
        ("'${' in '${x'", True),
        ("'a' # a comment", "a"),
    ],
)
def test_expressions_say_what_they_look_like(text: str, value: object) -> None:
    assert evaluate(text, NAMES) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot read"),
        ("1 +", "cannot read"),
        ("a = 1", "cannot read"),
        ("1; 2", "cannot read"),
        ("import os", "cannot read"),
        ("${a", "cannot read"),
        ("\0", "cannot read"),
        ("x" * 4001, "longer than 4000"),
        ("lambda: 1", "Lambda is not allowed"),
        ("(x := 1)", "NamedExpr is not allowed"),
        ("max(*xs)", "Starred is not allowed"),
        ("f'{output.title}'", "JoinedStr is not allowed"),
        ("'{0.__class__}'.format(1)", "calls 'format'"),
        ("output.keys()", "calls 'keys'"),
        ("len(xs)()", "Call is not allowed"),
        ("[len][0](xs)", "Call is not allowed"),
        ("__import__('os')", "calls '__import__'"),
        ("eval('1')", "calls 'eval'"),
        ("open('/etc/passwd')", "calls 'open'"),
        ("list(xs)", "calls 'list'"),
        ("range(9)", "calls 'range'"),
        ("{x for x in xs}", "SetComp"),
        ("''.__class__", "no '__class__'"),
        ("output.__class__", "no '__class__'"),
        ("output.title.upper", "no 'upper'"),
        ("len.__self__", "no '__self__'"),
        ("output.titel", "no 'titel' in an object with the names title, rows"),
        ("unknown", "'unknown' is not defined"),
        ("output['nope']", "KeyError"),
        ("output.rows[7]", "IndexError"),
        ("1 / 0", "ZeroDivisionError"),
        ("1 < 'a'", "TypeError"),
        ("len(3)", "TypeError"),
        ("min([])", "ValueError"),
        ("sum(['a', 'b'])", "sum takes a list of numbers"),
        ("matches('(', 'a')", "missing )"),
        ("'%9999999d' % 1", "% does not format text"),
        ("'${inputs.task}' == 't'", "inside quotes"),
        ("1.0 ** 9999 ** 9999", "more than"),
    ],
)
def test_what_is_not_allowed_or_fails_is_an_expr_error(text: str, message: str) -> None:
    with pytest.raises(ExprError) as caught:
        evaluate(text, NAMES)
    assert message in str(caught.value)


BOMBS = [
    "'a' * 10**9",
    "('a' * 99999) * ('b' * 99999)",
    "['a' * 99999 for x in xs]",
    "[[[1] * 99999] * 99999] * 99999",
    "[[0] * 99999 for x in xs]",
    "[1] * 10**12 == []",
    "10 ** 10 ** 10",
    "4000000 ** 4000000",
    "9 ** 9 ** 7 > 1",
    "2 ** 4000000",
    "(1 << 8000) * (1 << 8000)",
    "1 << 10 ** 9",
    "1 << 8000 << 8000",
    "str(10 ** 5000)",
    "int('9' * 99999)",
    "round(10 ** 400, -9999999)",
    "round(1.5, 999999999)",
    "[a for a in xs for b in xs for c in xs]",
    "[[[a for a in xs] for b in xs] for c in xs]",
    "[sorted(xs) for x in xs]",
    "[set(xs) for x in xs]",
    "[str(rows) for x in xs]",
    "[rows == rows for x in xs]",
    "[xs[:] for x in xs]",
    "[xs + xs for x in xs]",
    "[max(xs, key=str) for x in xs]",
    "[(8999 + x) in xs for x in xs]",
    "-" * 3999 + "1",
    "not " * 900 + "1",
    "1" + "+1" * 1900,
    "[" * 1500 + "]" * 1500,
    "(1" + "+1" * 1800 + ")()",
    "output" + ".a" * 1900,
]


@pytest.mark.parametrize("text", BOMBS)
@pytest.mark.timeout(60)
def test_what_would_take_long_or_much_memory_is_refused(text: str) -> None:
    with pytest.raises(ExprError):
        evaluate(text, NAMES)


@pytest.mark.timeout(60)
def test_shared_parts_count_as_often_as_they_occur() -> None:
    text, name = "xs", "xs"
    for depth in range(40):
        text, name = f"[{text} for v{depth} in [[{name}, {name}]]]", f"v{depth}"
    with pytest.raises(ExprError):
        evaluate(f"[{name} == 1 for v0 in [[xs, xs]]] == {text}", NAMES)


@pytest.mark.parametrize(
    "text",
    [
        "all(row.id in [r.id for r in rows[:50]] or row.n >= 50 for row in rows[:50])",
        "len(set([row.id for row in rows])) == len(rows)",
        "sorted([row.n for row in rows]) == [row.n for row in rows]",
        "all(matches('^id[0-9]+$', row.id) for row in rows)",
    ],
)
def test_checks_over_thousands_of_rows_fit_the_allowance(text: str) -> None:
    assert evaluate(text, NAMES) is True


@pytest.mark.parametrize(
    ("text", "free", "nodes"),
    [
        ("output.a > x", {"output", "x"}, set()),
        ("[y for y in output if y > z]", {"output", "z"}, set()),
        ("len(inputs.a) and nodes.b.output", {"inputs", "nodes"}, {"b"}),
        ("${nodes.b.output.x} == nodes['c-d'].output[0]", {"nodes"}, {"b", "c-d"}),
    ],
)
def test_the_names_and_nodes_an_expression_reads_are_known(text: str, free: set[str], nodes: set[str]) -> None:
    assert names_in(text) == free
    assert nodes_in(text) == nodes


@pytest.mark.parametrize(
    "text", ["nodes", "nodes.a", "nodes.a.result", "nodes[x].output", "len(nodes) > nodes.a.output"]
)
def test_nodes_are_read_in_one_way_only(text: str) -> None:
    with pytest.raises(ExprError, match=r"expected nodes\.ID\.output"):
        nodes_in(text)


def test_a_backslash_in_a_pattern_warns_nobody(recwarn: pytest.WarningsRecorder) -> None:
    assert evaluate(r"matches('^\d+$', '12')", {}) is True
    assert not recwarn.list


ATOMS = st.sampled_from(
    [
        "0",
        "1",
        "9999999999",
        "1.5",
        "1e308",
        "'a'",
        "''",
        "xs",
        "output",
        "rows",
        "output.title",
        "None",
        "True",
        "[]",
        "{}",
        "b'x'",
        "1j",
        "...",
        "nope",
        "len",
        "('é', 1)",
    ]
)
BINARY = st.sampled_from(
    ["+", "-", "*", "/", "//", "%", "**", "<<", ">>", "&", "|", "^", "@", "<", "==", "in", "is", "and"]
)


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    calls = st.sampled_from(
        ["len", "min", "max", "sum", "abs", "round", "any", "all", "sorted", "set", "str", "int", "float"]
    )
    return st.one_of(
        st.builds("({} {} {})".format, inner, BINARY, inner),
        st.builds("{}({})".format, calls, inner),
        st.builds("{}({}, {})".format, calls, inner, inner),
        st.builds("({}[{}])".format, inner, inner),
        st.builds("({}[{}:{}])".format, inner, inner, inner),
        st.builds("({}.items)".format, inner),
        st.builds("[{} for x in {} if {}]".format, inner, inner, inner),
        st.builds("{{{}: {}}}".format, inner, inner),
        st.builds("(~{})".format, inner),
        st.builds("matches(str({}), str({}))".format, inner, inner),
    )


@given(st.recursive(ATOMS, _larger, max_leaves=8) | st.text(max_size=30))
def test_no_expression_raises_anything_but_an_expr_error(text: str) -> None:
    for attempt in (lambda: evaluate(text, NAMES), lambda: names_in(text), lambda: nodes_in(text)):
        with contextlib.suppress(ExprError):
            attempt()


@given(st.recursive(st.integers() | st.text(max_size=4) | st.booleans() | st.none(), lambda x: st.lists(x, max_size=4)))
def test_literals_mean_what_python_means(value: object) -> None:
    assert evaluate(repr(value), {}) == ast.literal_eval(repr(value))


def test_patterns_are_linear_in_time_and_their_faults_are_named() -> None:
    assert has_match("(a+)+$", "a" * 20_000 + "b") is False
    assert has_match("^.é$", "ßé")
    assert has_match("x", "half of a pair: \ud800") is False
    for pattern, message in [
        ("(", "missing )"),
        ("a{1001}", "repetition"),
        ("(?=a)", "invalid perl operator"),
        ("\ud800", "half"),
    ]:
        with pytest.raises(PatternError, match=message.replace(")", r"\)")):
            check_pattern(pattern)
