"""When two plans are the same: whatever is called what, and in whatever words."""

import json
from dataclasses import dataclass
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planloom.agents.planner import read_plan
from planloom.core.json import Json, JsonObject
from planloom.core.plan import Plan
from planloom.graphs.plan_graph import plan_graph
from planloom.tools.base import Tool


async def _nothing(args: JsonObject) -> Json:
    return None


def _tool(name: str, effect: str, *parameters: str, control: frozenset[str] | None = None) -> Tool:
    properties: JsonObject = {each: {"type": "string"} for each in parameters}
    return Tool(
        name=name,  # type: ignore[arg-type]
        description="",
        parameters={"type": "object", "properties": properties},
        effect=effect,  # type: ignore[arg-type]
        call=_nothing,
        control=control,
    )


QUERY = _tool("db.query", "read", "sql")
SAVE = _tool("files.write", "write", "path", "text", control=frozenset({"path"}))
TOOLS = {"db.query": (QUERY,), "files.write": (SAVE,), "files": (SAVE,), "db": (QUERY,)}


def plan_of(value: JsonObject) -> Plan:
    draft = read_plan(value)
    return Plan(version=1, nodes=draft.nodes, output=draft.output)


def same(one: JsonObject, other: JsonObject) -> bool:
    return plan_graph(plan_of(one), TOOLS).digest == plan_graph(plan_of(other), TOOLS).digest


TEXT = '{"type": "object", "properties": {"t": {"type": "string"}}}'
NUMBER = {"type": "object", "properties": {"n": {"type": "number"}}, "required": ["n"]}
PAIR: JsonObject = {"type": "object", "properties": {"shop": {"type": "string"}, "total": {"type": "number"}}}
BASE = json.dumps(
    {
        "nodes": [
            {"id": "rows", "tool": "db.query", "with": {"sql": "SELECT * FROM basket"}},
            {
                "id": "best",
                "goal": "Which shop is cheapest?",
                "with": {"rows": "${nodes.rows.output.rows}"},
                "output": PAIR,
            },
            {"id": "note", "goal": "Write a sentence.", "with": {"shop": "${nodes.best.output.shop}", "limit": 3}},
            {
                "id": "each",
                "goal": "Look at ${item.name}",
                "map": "${nodes.rows.output.rows}",
                "when": "nodes.best.output.total > 10",
                "output": NUMBER,
            },
            {
                "id": "save",
                "tool": "files.write",
                "with": {"path": "answer.txt", "text": "Found: ${nodes.note.output}"},
                "needs": ["each"],
            },
        ],
        "output": {"shop": "${nodes.best.output.shop}", "all": "${nodes.each.output}"},
    }
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    id: str
    old: str
    new: str


FREE = [
    Case("ids", '"rows"', '"basket"'),
    Case("wording of a goal", "Which shop is cheapest?", "Find the shop with the smallest total."),
    Case("a reference in the goal too", "Write a sentence.", "On ${nodes.best.output.shop}:"),
    Case("names of properties", "shop", "store"),
    Case("names of properties, and of types", "total", "sum"),
    Case("wording of a query that reads", "SELECT * FROM basket", "select shop, price from basket"),
    Case("words around a text", "Found: ", "The answer is "),
    Case("a text in an object of its own", '"limit": 3}}', f'"limit": 3}}, "output": {TEXT}}}'),
    Case("whole numbers", '"number"', '"integer"'),
    Case("how it is run", '"goal": "Write', '"effort": "high", "timeout": 5, "model": "big", "goal": "Write'),
    Case("an order that follows already", '"needs": ["each"]', '"needs": ["each", "best", "rows", "note"]'),
    Case("names in the result", '{"shop": "${nodes.best', '{"winner": "${nodes.best'),
]  # fmt: skip

TELLS = [
    Case("another table of a tool", '"tool": "db.query"', '"tool": "db"'),
    Case("where it writes", "answer.txt", "other.txt"),
    Case("a number", '"limit": 3', '"limit": 4'),
    Case("a single word", '"limit": 3', '"tone": "formal"'),
    Case("what flows", '"shop": "${nodes.best.output.shop}", "limit"', '"shop": "${nodes.best.output.total}", "limit"'),
    Case("what is returned", '"all": "${nodes.each.output}"', '"all": "${nodes.note.output}"'),
    Case("what is compared", "total > 10", "total < 10"),
    Case("no condition", '"when": "nodes.best.output.total > 10", ', ""),
    Case("an order less", '"needs": ["each"]', '"needs": []'),
    Case("a type", '"shop": {"type": "string"}', '"shop": {"type": "boolean"}'),
    Case("one property more", '"shop": {"type": "string"}', '"shop": {"type": "string"}, "why": {"type": "string"}'),
    Case("a kind of check", '"goal": "Write', '"checks": [{"regex": "."}], "goal": "Write'),
    Case("a grant", '"goal": "Write', '"tools": ["db.query"], "goal": "Write'),
    Case("an approval", '"goal": "Write', '"approve": true, "goal": "Write'),
    Case("once in place of per element", '"map": "${nodes.rows', '"remember": "${nodes.rows'),
]  # fmt: skip


@pytest.mark.parametrize("case", FREE, ids=lambda case: case.id)
def test_what_a_planner_is_free_to_choose_makes_no_other_plan(case: Case) -> None:
    assert case.old in BASE
    changed = BASE.replace(case.old, case.new)
    if case.id == "ids":
        changed = changed.replace("nodes.rows.", "nodes.basket.").replace('"with": {"basket"', '"with": {"x"')
    if "own" in case.id:
        changed = changed.replace("${nodes.note.output}", "${nodes.note.output.t}")
    assert changed != BASE
    assert same(json.loads(BASE), json.loads(changed))


@pytest.mark.parametrize("case", TELLS, ids=lambda case: case.id)
def test_what_the_run_would_do_otherwise_makes_another_plan(case: Case) -> None:
    assert case.old in BASE
    changed = BASE.replace(case.old, case.new)
    if "per element" in case.id:
        changed = changed.replace("${item.name}", "them")
    assert not same(json.loads(BASE), json.loads(changed))


def test_a_property_read_twice_is_not_two_properties_read_once() -> None:
    two: JsonObject = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}}

    def read(first: str, second: str) -> JsonObject:
        source: JsonObject = {"id": "s", "goal": "g", "output": two}
        readers: list[Json] = [
            {"id": f"r{index}", "goal": "g", "with": {"v": f"${{nodes.s.output.{name}}}"}}
            for index, name in enumerate((first, second))
        ]
        return {"nodes": [source, *readers]}

    assert same(read("a", "b"), read("b", "a"))
    assert not same(read("a", "b"), read("a", "a"))


def test_a_plan_without_a_template_returns_what_nobody_reads() -> None:
    nodes: Json = [{"id": "a", "goal": "x"}, {"id": "b", "goal": "y", "with": {"v": "${nodes.a.output}"}}]
    assert same({"nodes": nodes}, {"nodes": nodes, "output": {"answer": "${nodes.b.output}"}})
    assert not same({"nodes": nodes}, {"nodes": nodes, "output": "${nodes.a.output}"})


@st.composite
def plans(draw: st.DrawFn) -> JsonObject:
    """A plan of workers, code and tools that read earlier ones."""
    count = draw(st.integers(1, 7))
    nodes: list[Json] = []
    for index in range(count):
        read = draw(st.lists(st.integers(0, index - 1), max_size=3, unique=True)) if index else []
        given: JsonObject = {f"v{each}": f"${{nodes.n{each}.output}}" for each in read}
        kind = draw(st.sampled_from(["goal", "code", "tool"]))
        body: JsonObject = (
            {"goal": "g"} if kind == "goal" else {"code": "1"} if kind == "code" else {"tool": "db.query"}
        )
        if kind == "tool":
            given = {"sql": " ".join(f"${{nodes.n{each}.output}}" for each in read) or "select it all"}
        nodes.append({"id": f"n{index}", **body, "with": given})
    return {"nodes": nodes, "output": f"${{nodes.n{count - 1}.output}}"}


@given(plan=plans(), data=st.data())
def test_any_renaming_and_any_order_of_the_nodes_leave_a_plan_the_same(plan: JsonObject, data: st.DataObject) -> None:
    nodes = cast("list[JsonObject]", plan["nodes"])
    fresh = data.draw(st.permutations([f"m{index}" for index in range(len(nodes))]))
    text = json.dumps({**plan, "nodes": data.draw(st.permutations(nodes))})
    for index, name in enumerate(fresh):
        text = text.replace(f'"n{index}"', f'"{name}"').replace(f"nodes.n{index}.", f"nodes.{name}.")
        text = text.replace(f'"v{index}"', f'"w{name}"')
    assert same(plan, json.loads(text))


@given(plan=plans(), data=st.data())
def test_another_kind_of_node_anywhere_makes_another_plan(plan: JsonObject, data: st.DataObject) -> None:
    nodes = cast("list[JsonObject]", plan["nodes"])
    place = data.draw(st.integers(0, len(nodes) - 1))
    changed = [
        {**node, "needs": [], "checks": [{"judge": "good?"}]} if index == place else node
        for index, node in enumerate(nodes)
    ]
    assert not same(plan, {**plan, "nodes": changed})
