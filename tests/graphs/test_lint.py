"""Everything that can be wrong with one node, each with its code and its place."""

from dataclasses import dataclass, replace

import pytest

from planloom.core.check import CodeCheck, ExprCheck, FunctionCheck, JudgeCheck, RegexCheck
from planloom.core.json import Json, JsonObject
from planloom.core.plan import Effect, Grant, Node, NodeId, ToolName
from planloom.graphs.lint import Facts, dependencies, did_you_mean, effect_of, lint_node
from planloom.tools.base import Tool


def tool(name: str, effect: Effect = "read", required: tuple[str, ...] = (), **arguments: str) -> Tool:
    parameters: JsonObject = {
        "type": "object",
        "properties": {key: {"type": kind} for key, kind in arguments.items()},
        "required": list(required),
    }

    async def call(args: JsonObject) -> Json:
        return None

    return Tool(name=ToolName(name), description="", parameters=parameters, effect=effect, call=call)


READ = tool("files.read", path="string")
WRITE = tool("files.write", "write", ("path", "text"), path="string", text="string")
QUERY = tool("db.query", "read", ("sql",), sql="string")
PLANNED = Facts(
    inputs=frozenset({"task", "limit"}),
    tools={
        "files": (READ, WRITE),
        "files.read": (READ,),
        "files.write": (WRITE,),
        "db": (QUERY,),
        "db.query": (QUERY,),
    },
    rungs=frozenset({"mini", "big"}),
    max_nodes=10,
    by_hand=False,
)
BY_HAND = replace(PLANNED, by_hand=True)
NODE = Node(id=NodeId("n"), goal="Do it with ${inputs.task}", inputs={"a": "${nodes.b.output}"})
CODE = Node(id=NodeId("n"), kind="code", code="1 + 1")


def call(name: str, **arguments: Json) -> Node:
    return Node(id=NodeId("n"), kind="tool", tool=ToolName(name), inputs=arguments)


def granted(*grants: Grant, effect: Effect = "pure") -> Node:
    return replace(NODE, tools=grants, effect=effect)


@dataclass(frozen=True)
class Case:
    id: str
    node: Node
    code: str
    field: str
    message: str
    facts: Facts = PLANNED


CASES = [
    Case("goal names no input", replace(NODE, goal="${inputs.tsk}"), "unknown_input", "goal", "did you mean 'task'?"),
    Case(
        "with names no input",
        replace(NODE, inputs={"x": ["${inputs.zzz}"]}),
        "unknown_input",
        "with.x[0]",
        "there are: limit, task",
    ),
    Case(
        "no inputs at all", NODE, "unknown_input", "goal", "there are none", replace(PLANNED, inputs=frozenset[str]())
    ),
    Case(
        "malformed reference",
        replace(NODE, inputs={"x": "${nodes.a}"}),
        "bad_expression",
        "with.x",
        "expected ${nodes.ID.output}",
    ),
    Case("open reference", replace(NODE, goal="${inputs.task"), "bad_expression", "goal", "without a closing }"),
    Case("item without map", replace(NODE, goal="${item.x}"), "bad_expression", "goal", "only in a node with `map`"),
    Case(
        "index without map",
        replace(NODE, inputs={"x": "${index}"}),
        "bad_expression",
        "with.x",
        "only in a node with `map`",
    ),
    Case(
        "reference in fixed arguments",
        granted(Grant(tool=ToolName("files.read"), args={"path": "${inputs.pth}"})),
        "unknown_input",
        "tools[0].args.path",
        "no input 'pth'",
    ),
    Case("map over no input", replace(NODE, map="${inputs.rows}"), "unknown_input", "map", "no input 'rows'"),
    Case("when is no expression", replace(NODE, when="inputs.limit >"), "bad_expression", "when", "cannot read"),
    Case("when names the unknown", replace(NODE, when="limit > 3"), "bad_expression", "when", "unknown name 'limit'"),
    Case(
        "when names an element without map",
        replace(NODE, when="item > 3"),
        "bad_expression",
        "when",
        "unknown name 'item'",
    ),
    Case(
        "when reads nodes oddly",
        replace(NODE, when="nodes.a.result"),
        "bad_expression",
        "when",
        "expected nodes.ID.output",
    ),
    Case("when calls what is not allowed", replace(NODE, when="open('x')"), "bad_expression", "when", "calls 'open'"),
    Case(
        "unknown tool",
        granted(Grant(tool=ToolName("fils.read"))),
        "unknown_tool",
        "tools[0]",
        "did you mean 'files.read'?",
    ),
    Case(
        "grant can write",
        granted(Grant(tool=ToolName("files"))),
        "grant_too_wide",
        "tools[0]",
        "'files' can write, but the node says effect 'pure'",
    ),
    Case(
        "fixed argument unknown",
        granted(Grant(tool=ToolName("files.read"), args={"pat": "x"})),
        "grant_too_wide",
        "tools[0].args.pat",
        "did you mean 'path'?",
    ),
    Case("unknown operation", call("db.qery", sql=""), "unknown_tool", "tool", "did you mean 'db.query'?"),
    Case("several operations", call("files"), "unknown_tool", "tool", "name one of files.read, files.write"),
    Case(
        "argument unknown",
        call("db.query", sql="", limit=1),
        "schema_mismatch",
        "with.limit",
        "'db.query' has no argument 'limit'",
    ),
    Case("argument missing", call("db.query"), "missing_input", "with", "'db.query' needs the argument 'sql'"),
    Case("operation writes", call("files.write", path="", text=""), "grant_too_wide", "tool", "'files.write' writes"),
    Case(
        "check is no expression",
        replace(NODE, checks=(ExprCheck(expr="a >"),)),
        "bad_expression",
        "checks[0].expr",
        "cannot read",
    ),
    Case(
        "check names the unknown",
        replace(NODE, checks=(ExprCheck(expr="a == 1"), ExprCheck(expr="outptu.x"))),
        "bad_expression",
        "checks[1].expr",
        "did you mean 'output'?",
    ),
    Case(
        "check is no pattern",
        replace(NODE, checks=(RegexCheck(pattern="("),)),
        "bad_expression",
        "checks[0].regex",
        "not an RE2 pattern: missing )",
    ),
    Case(
        "check is no Python",
        replace(NODE, checks=(CodeCheck(code="x = 1\nif"),)),
        "bad_expression",
        "checks[0].code",
        "not Python in line 2",
    ),
    Case(
        "planner names a function",
        replace(NODE, checks=(FunctionCheck(ref="os:system", args={}),)),
        "grant_too_wide",
        "checks[0].ref",
        "may not name Python functions",
    ),
    Case(
        "judge is no model",
        replace(NODE, checks=(JudgeCheck(judge="?", model="bg"),)),
        "unknown_model",
        "checks[0].model",
        "did you mean 'big'?",
    ),
    Case(
        "no model to judge",
        replace(CODE, checks=(JudgeCheck(judge="?"),)),
        "unknown_model",
        "checks[0].judge",
        "needs a model",
        replace(BY_HAND, rungs=frozenset[str]()),
    ),
    Case("no such model", replace(NODE, model="min"), "unknown_model", "model", "did you mean 'mini'?"),
    Case(
        "no models at all",
        NODE,
        "unknown_model",
        "goal",
        "the workflow has none",
        replace(PLANNED, rungs=frozenset[str]()),
    ),
    Case("code is no Python", replace(CODE, code="1 +"), "bad_expression", "code", "not Python in line 1"),
    Case(
        "code reads what nobody gives", replace(CODE, code="totl + 1"), "bad_expression", "code", "unknown name 'totl'"
    ),
    Case(
        "a check's code reads what nobody gives",
        replace(NODE, checks=(CodeCheck(code="assert outptu > a"),)),
        "bad_expression",
        "checks[0].code",
        "unknown name 'outptu'",
    ),
    Case("code too deep", replace(CODE, code="(" * 5000), "bad_expression", "code", "not Python"),
    Case("no such JSON type", replace(NODE, output={"type": "strng"}), "bad_schema", "output.type", "string"),
    Case("schema leads nowhere", replace(NODE, output={"$ref": "#/$defs/x"}), "bad_schema", "output.$ref", "$defs"),
    Case(
        "schema leads away",
        replace(NODE, output={"properties": {"a": {"$ref": "http://h/s.json"}}}),
        "bad_schema",
        "output.properties.a.$ref",
        "a place in this schema",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_fault_is_found_with_its_code_and_place(case: Case) -> None:
    (finding,) = lint_node(case.node, case.facts)
    assert (finding.code, finding.field, finding.node_id, finding.fatal) == (case.code, case.field, "n", True)
    assert case.message in finding.message
    assert case.message in finding.text


SOUND = [
    NODE,
    CODE,
    call("db.query", sql="SELECT '\\d'"),
    call("db", sql="x"),
    granted(Grant(tool=ToolName("files.read"), args={"path": "${inputs.task}"}, max_calls=2)),
    granted(Grant(tool=ToolName("files")), effect="write"),
    replace(call("files.write", path="", text=""), effect="write"),
    replace(NODE, map="${nodes.b.output}", goal="${item} ${index}", when="item > index and inputs.limit"),
    replace(NODE, map=[1], checks=(ExprCheck(expr="item == output and index >= 0 and a and inputs.task"),)),
    replace(NODE, when="nodes.b.output.ok and nodes['c-d'].output"),
    replace(NODE, checks=(ExprCheck(expr="all(row.x > 0 for row in output.rows) == true"),)),
    replace(NODE, checks=(RegexCheck(pattern=r"^\d+$"), CodeCheck(code=r"import re; assert re.match('\d', 'x')"))),
    replace(NODE, checks=(JudgeCheck(judge="?"), JudgeCheck(judge="?", model="big")), model="mini"),
    replace(NODE, output={"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {}}}),
]


MADE_BY_THE_CODE = [
    "import math\nmath.pi",
    "def f(x):\n    return g(x)\ndef g(x):\n    return x\nf(1)",
    "[y for y in inputs if y]",
    "class A:\n    b = 1\n    c = b\nA.c",
    "for i, (j, k) in enumerate([(1, 2)]):\n    pass\ni + j + k",
    "with open('f') as file:\n    file.read()",
    "try:\n    1 / 0\nexcept ZeroDivisionError as exc:\n    str(exc)",
    "def f():\n    global made\n    made = 1\nf()\nmade",
    "(n := 3) + n",
    "match inputs:\n    case {'a': a, **rest}:\n        a, rest",
    "lambda a, *b, c=1, **d: (a, b, c, d)",
    "from math import *\npi",
    "exec('x = 1')\nx",
    "try:\n    maybe\nexcept NameError:\n    None",
]


@pytest.mark.parametrize("code", MADE_BY_THE_CODE)
def test_a_name_that_the_code_makes_itself_is_known(code: str) -> None:
    assert lint_node(replace(CODE, code=code), PLANNED) == []


def test_a_reference_in_another_template_language_is_pointed_at() -> None:
    node = replace(NODE, goal="Read {{ nodes.a.output }}", inputs={"x": ["costs $5", "$inputs.task"], "y": "{{other}}"})
    found = lint_node(node, PLANNED)
    assert [(item.field, item.fatal) for item in found] == [("goal", False), ("with.x[1]", False)]
    assert "written ${inputs.NAME}" in found[0].message


@pytest.mark.parametrize("node", SOUND)
def test_a_sound_node_has_no_findings(node: Node) -> None:
    assert lint_node(node, PLANNED) == []


def test_a_person_may_do_what_a_planner_may_not() -> None:
    nodes = [
        replace(NODE, checks=(FunctionCheck(ref="os:system", args={}),)),
        granted(Grant(tool=ToolName("files"))),
        call("files.write", path="", text=""),
    ]
    assert [len(lint_node(node, PLANNED)) for node in nodes] == [1, 1, 1]
    assert [len(lint_node(node, BY_HAND)) for node in nodes] == [0, 0, 0]


def test_every_fault_of_a_node_is_found_at_once() -> None:
    node = replace(
        NODE, goal="${inputs.x}", model="x", when="x", output={"type": "x"}, tools=(Grant(tool=ToolName("x")),)
    )
    codes = [finding.code for finding in lint_node(node, PLANNED)]
    assert sorted(codes) == ["bad_expression", "bad_schema", "unknown_input", "unknown_model", "unknown_tool"]


def test_edges_come_from_data_from_the_condition_and_from_needs() -> None:
    node = Node(
        id=NodeId("n"),
        goal="${nodes.a.output}",
        inputs={"x": {"deep": ["${nodes.b.output[0].c} and ${nodes.c.output}"]}},
        map="${nodes.d.output}",
        when="nodes.e.output > 1 and nodes['f-g'].output",
        tools=(Grant(tool=ToolName("db"), args={"table": "${nodes.h.output}"}),),
        needs=(NodeId("i"), NodeId("a")),
    )
    assert dependencies(node) == {"a", "b", "c", "d", "e", "f-g", "h", "i"}
    assert dependencies(Node(id=NodeId("n"), goal="$${nodes.a.output}")) == frozenset()


@pytest.mark.parametrize(
    ("node", "effect"),
    [
        (NODE, "pure"),
        (granted(Grant(tool=ToolName("db"))), "read"),
        (granted(Grant(tool=ToolName("db")), Grant(tool=ToolName("files"))), "write"),
        (granted(Grant(tool=ToolName("files.read")), effect="write"), "write"),
        (call("files.write"), "write"),
        (call("nope"), "pure"),
    ],
)
def test_a_nodes_effect_is_that_of_the_strongest_tool_it_may_call(node: Node, effect: Effect) -> None:
    assert effect_of(node, PLANNED) == effect


def test_hints_name_the_nearest_or_list_what_there_is() -> None:
    assert did_you_mean("mni", {"mini", "big"}) == "; did you mean 'mini'?"
    assert did_you_mean("zzz", {"mini", "big"}) == "; there are: big, mini"
    assert did_you_mean("zzz", set()) == "; there are none"
