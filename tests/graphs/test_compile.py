"""A plan as a whole: edges, cycles, references that cannot fit, patches and cones."""

from dataclasses import dataclass, replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planloom.core.errors import PlanError
from planloom.core.json import Json, JsonObject
from planloom.core.plan import Effect, Finding, Node, NodeId, Plan, PlanPatch, ToolName
from planloom.graphs.compile import compile_plan, finish, sinks
from planloom.graphs.lint import Facts
from planloom.graphs.patch import apply_patch, cone
from planloom.tools.base import Tool


async def _nothing(args: JsonObject) -> Json:
    return None


SEND = Tool(
    name=ToolName("send"),
    description="",
    parameters={"type": "object", "properties": {}},
    effect="write",
    call=_nothing,
)
FACTS = Facts(inputs=frozenset({"task"}), tools={"send": (SEND,)}, rungs=frozenset({"mini"}), max_nodes=6, by_hand=True)
ROWS: JsonObject = {
    "type": "object",
    "properties": {
        "title": {"type": "string"},
        "rows": {"type": "array", "items": {"type": "object", "properties": {"id": {"type": "integer"}}}},
        "open": {"type": "object", "properties": {"a": {}}, "additionalProperties": True},
        "any": {},
        "maybe": {"type": ["object", "null"], "properties": {"x": {}}},
        "either": {"anyOf": [{"type": "string"}, {"type": "object"}], "properties": {"x": {}}},
        "map": {"type": "object", "patternProperties": {"^x": {"type": "string"}}, "properties": {}},
        "0": {"type": "string"},
    },
}


def node(name: str, goal: str = "g", **inputs: Json) -> Node:
    return Node(id=NodeId(name), goal=goal, inputs=inputs)


A = replace(node("a"), output=ROWS)


def findings(*nodes: Node, output: Json = None, facts: Facts = FACTS, done: tuple[Node, ...] = ()) -> list[Finding]:
    """Return what keeps a plan from running, or its warnings."""
    try:
        compiled = compile_plan(nodes, output, facts, done={item.id: item for item in done})
    except PlanError as exc:
        return list(exc.findings)
    assert not any(finding.fatal for finding in compiled.warnings)
    return list(compiled.warnings)


@dataclass(frozen=True)
class Case:
    id: str
    nodes: tuple[Node, ...]
    code: str
    node_id: str | None
    field: str
    message: str
    output: Json = None


CASES = [
    Case("empty", (), "empty_plan", None, "", "no nodes"),
    Case("too many", tuple(node(f"n{n}") for n in range(7)), "too_many_nodes", None, "", "7 nodes; at most 6"),
    Case("unknown in with", (A, node("b", x="${nodes.c.output}")), "unknown_node", "b", "with.x", "no node 'c'"),
    Case(
        "unknown in goal",
        (A, node("summary", "${nodes.sumary.output}")),
        "unknown_node",
        "summary",
        "goal",
        "did you mean 'summary'?",
    ),
    Case(
        "unknown in needs",
        (A, replace(node("b"), needs=(NodeId("a"), NodeId("aa")))),
        "unknown_node",
        "b",
        "needs[1]",
        "did you mean 'a'?",
    ),
    Case(
        "unknown in when", (A, replace(node("b"), when="nodes.zz.output")), "unknown_node", "b", "when", "no node 'zz'"
    ),
    Case("unknown in output", (A,), "unknown_node", None, "output.x", "no node 'b'", {"x": "${nodes.b.output}"}),
    Case(
        "unknown input in output",
        (A,),
        "unknown_input",
        None,
        "output",
        "did you mean 'task'?",
        "${inputs.tas} ${nodes.a.output}",
    ),
    Case(
        "item in output", (A,), "bad_expression", None, "output[1]", "no meaning here", ["${nodes.a.output}", "${item}"]
    ),
    Case("malformed output", (A,), "bad_expression", None, "output", "expected ${nodes.ID.output}", "${nodes.a}"),
    Case("itself", (node("b", x="${nodes.b.output}"),), "cycle", "b", "", "b -> b"),
    Case(
        "ring",
        (node("a", x="${nodes.c.output}"), node("b", x="${nodes.a.output}"), node("c", x="${nodes.b.output}")),
        "cycle",
        None,
        "",
        " -> ",
    ),
    Case(
        "ring of needs and when",
        (replace(node("a"), needs=(NodeId("b"),)), replace(node("b"), when="nodes.a.output")),
        "cycle",
        None,
        "",
        " -> ",
    ),
    Case(
        "no such property",
        (A, node("b", x="${nodes.a.output.titel}")),
        "schema_mismatch",
        "b",
        "with.x",
        "no property 'titel'; it has title, rows",
    ),
    Case(
        "into a text",
        (A, node("b", x="${nodes.a.output.title.x}")),
        "schema_mismatch",
        "b",
        "with.x",
        "string has no 'x'",
    ),
    Case(
        "name of an array",
        (A, node("b", x="${nodes.a.output.rows.id}")),
        "schema_mismatch",
        "b",
        "with.x",
        "an array has no 'id'",
    ),
    Case(
        "index of an object",
        (A, node("b", x="${nodes.a.output[1]}")),
        "schema_mismatch",
        "b",
        "with.x",
        "no property 1",
    ),
    Case(
        "deep in an array",
        (A, node("b", x="${nodes.a.output.rows[3].name}")),
        "schema_mismatch",
        "b",
        "with.x",
        "no property 'name'; it has id",
    ),
    Case(
        "plain text",
        (node("a"), node("b", x="${nodes.a.output.x}")),
        "schema_mismatch",
        "b",
        "with.x",
        "string has no 'x'",
    ),
    Case(
        "map without index",
        (replace(A, map=[1]), node("b", x="${nodes.a.output.title}")),
        "schema_mismatch",
        "b",
        "with.x",
        "needs an index before it",
    ),
    Case(
        "map with index",
        (replace(A, map=[1]), node("b", x="${nodes.a.output[0].titel}")),
        "schema_mismatch",
        "b",
        "with.x",
        "no property 'titel'",
    ),
    Case(
        "output does not fit",
        (A,),
        "schema_mismatch",
        None,
        "output.t",
        "no property 'titel'",
        {"t": "${nodes.a.output.titel}"},
    ),
    Case(
        "fault of one node",
        (A, node("b", x="${inputs.nope}", y="${nodes.a.output}")),
        "unknown_input",
        "b",
        "with.x",
        "no input 'nope'",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_fault_is_found_with_its_code_and_place(case: Case) -> None:
    (finding,) = findings(*case.nodes, output=case.output)
    assert (finding.code, finding.field, finding.fatal) == (case.code, case.field, True)
    assert case.node_id in (None, finding.node_id)
    assert case.message in finding.message


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".title",
        ".rows",
        ".rows[0]",
        ".rows[0].id",
        ".open.a",
        ".open.b.c",
        ".any.thing[3]",
        ".maybe.x",
        ".either.y",
        ".map.x1",
        "[0]",
    ],
)
def test_a_path_that_may_exist_is_no_fault(path: str) -> None:
    assert findings(A, node("b", x=f"${{nodes.a.output{path}}}")) == []
    assert findings(replace(A, map=[1]), node("b", x=f"${{nodes.a.output[2]{path}}}")) == []


def test_the_output_of_a_tool_or_code_without_a_schema_may_be_anything() -> None:
    code = Node(id=NodeId("a"), kind="code", code="{}")
    assert findings(code, node("b", x="${nodes.a.output.some[1].thing}")) == []


def test_edges_are_derived_and_the_order_of_writing_is_kept() -> None:
    last = replace(node("c", x="${nodes.b.output}"), needs=(NodeId("a"),))
    compiled = compile_plan([last, node("b", x="${nodes.a.output}"), A], "${nodes.c.output}", FACTS, version=4)
    assert compiled.deps == {"c": {"b", "a"}, "b": {"a"}, "a": frozenset()}
    assert list(compiled.plan.nodes) == ["c", "b", "a"]
    assert (compiled.plan.version, compiled.plan.output, compiled.warnings) == (4, "${nodes.c.output}", ())


def test_an_output_that_nobody_reads_is_a_warning_unless_it_writes() -> None:
    nodes = (A, node("b"), replace(node("w"), effect="write"))
    (warning,) = findings(*nodes, output="${nodes.a.output.title}")
    assert (warning.code, warning.node_id, warning.fatal) == ("unread_output", "b", False)
    assert findings(*nodes) == []


def test_a_cycle_is_named_in_the_direction_of_the_data() -> None:
    ring = [node("a", x="${nodes.c.output}"), node("b", x="${nodes.a.output}"), node("c", x="${nodes.b.output}")]
    (finding,) = findings(*ring)
    names = finding.message.partition(": ")[2].split(" -> ")
    assert names[0] == names[-1] == finding.node_id
    reads = {"a": "c", "b": "a", "c": "b"}
    assert all(reads[later] == earlier for later, earlier in pairwise(names)) or all(
        reads[later] == earlier for earlier, later in pairwise(names)
    )


def test_every_fault_of_a_plan_is_reported_at_once() -> None:
    nodes = [node("a", x="${nodes.zz.output}"), node("b", y="${inputs.q}"), replace(node("c"), model="x")]
    codes = {finding.code for finding in findings(*nodes, output="${nodes.yy.output}")}
    assert codes == {"unknown_node", "unknown_input", "unknown_model"}


def test_a_node_that_is_done_may_stay_or_go_but_not_change() -> None:
    done = finish(node("a"), FACTS)
    assert findings(node("a"), node("b"), done=(done,)) == []
    assert findings(node("b"), done=(done,)) == []
    (finding,) = findings(node("a", "other work"), node("b"), done=(done,))
    assert (finding.code, finding.node_id) == ("id_reused", "a")
    assert "use another id" in finding.message


@pytest.mark.parametrize(
    ("effect", "hold", "approve", "held"),
    [
        ("pure", True, False, False),
        ("write", False, False, False),
        ("write", True, False, True),
        ("pure", False, True, True),
    ],
)
def test_writes_wait_for_approval_where_the_workflow_says_so(
    effect: Effect, hold: bool, approve: bool, held: bool
) -> None:
    facts = replace(FACTS, hold_writes=hold)
    plan = compile_plan([replace(node("a"), effect=effect, approve=approve)], None, facts).plan
    assert plan.nodes[NodeId("a")].approve is held


def test_a_node_that_calls_a_writing_tool_is_a_write_node_whatever_it_says() -> None:
    sly = Node(id=NodeId("a"), kind="tool", tool=ToolName("send"), effect="pure")
    done = finish(sly, replace(FACTS, hold_writes=True))
    assert (done.effect, done.approve) == ("write", True)
    assert finish(done, FACTS) is done


def test_a_patch_is_laid_over_the_plan() -> None:
    plan = Plan(version=1, nodes={NodeId(n): node(n) for n in ("a", "b", "c")}, output="${nodes.c.output}")
    patch = PlanPatch(
        nodes={NodeId("b"): node("b", "new"), NodeId("d"): node("d")}, remove=(NodeId("c"), NodeId("nobody"))
    )
    nodes, output = apply_patch(plan, patch)
    assert [(name, item.goal) for name, item in nodes.items()] == [("a", "g"), ("b", "new"), ("d", "g")]
    assert output == "${nodes.c.output}"
    assert apply_patch(plan, replace(patch, output="x"))[1] == "x"
    assert list(plan.nodes) == ["a", "b", "c"]


DEPS = {
    NodeId(name): frozenset(NodeId(need) for need in needs)
    for name, needs in {"a": "", "b": "a", "c": "b", "d": "a", "e": "cd", "f": ""}.items()
}


@pytest.mark.parametrize(
    ("failed", "behind"), [("", ""), ("a", "abcde"), ("b", "bce"), ("d", "de"), ("e", "e"), ("f", "f"), ("bd", "bcde")]
)
def test_the_cone_is_all_that_waits_however_far_behind(failed: str, behind: str) -> None:
    assert cone([NodeId(name) for name in failed], DEPS) == set(behind)


def test_the_last_nodes_are_those_nobody_waits_for() -> None:
    assert sinks(DEPS, DEPS) == ["e", "f"]


@given(st.lists(st.lists(st.integers(0, 5), max_size=3), min_size=1, max_size=6))
def test_a_plan_compiles_exactly_when_its_nodes_can_be_put_in_an_order(needs: list[list[int]]) -> None:
    nodes = [
        node(f"n{place}", **{f"x{n}": f"${{nodes.n{need % len(needs)}.output}}" for n, need in enumerate(wanted)})
        for place, wanted in enumerate(needs)
    ]
    left, moved = dict(enumerate({need % len(needs) for need in wanted} for wanted in needs)), True
    while moved:
        free = [place for place, wanted in left.items() if not wanted & set(left)]
        moved = bool(free)
        for place in free:
            del left[place]
    assert {finding.code for finding in findings(*nodes)} == ({"cycle"} if left else set())
