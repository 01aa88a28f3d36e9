"""The planner: nodes read while the plan is written, plans and patches read whole, and what a replan may see."""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planloom.agents.planner import (
    Assignment,
    Draft,
    PlanScanner,
    Trouble,
    make_plan,
    read_draft,
    read_node,
    read_patch,
    repair_plan,
    replan,
)
from planloom.core.check import ExprCheck
from planloom.core.errors import ModelError, PlanError
from planloom.core.json import Json, JsonObject
from planloom.core.outcome import Evidence, Failed, FailureKind, Usage
from planloom.core.plan import Finding, Node, NodeId
from planloom.models.base import Finish, Reply, Request

ASSIGNMENT = Assignment(
    inputs={"task": "count"},
    input_notes={"task": {"type": "string", "description": "what to do"}},
    description="A test",
    tools=({"name": "db.query", "description": "asks", "parameters": {}, "effect": "read"},),
    max_nodes=7,
    instructions="Be brief.",
)
NODES: list[JsonObject] = [
    {"id": "a", "goal": 'say "}]}" and {"id": "no"} \\ or \\"', "with": {"x": {"deep": [{"y": "]"}]}}},
    {"id": "b", "code": "{'k': 1}", "with": {"rows": "${nodes.a.output}"}},
    {"id": "c", "goal": "é ✓ 😀", "checks": [{"expr": "len(output) > 1"}]},
]
PLAN: JsonObject = {
    "note": 'the "nodes": [{"id": "fake", "goal": "x"}] come next',
    "nodes": [*NODES],
    "output": "${nodes.c.output}",
}


def reply(text: str, finish: Finish = "stop") -> Reply:
    return Reply(text=text, finish=finish, usage=Usage(calls=1), model="m")


@dataclass
class Model:
    """Streams one text in the pieces it was given; keeps what it was asked."""

    pieces: Sequence[str]
    finish: Finish = "stop"
    error: ModelError | None = None

    def __post_init__(self) -> None:
        self.asked: list[Request] = []
        self.given = 0

    async def __call__(self, request: Request) -> Reply:
        self.asked.append(request)
        return reply("".join(self.pieces), self.finish)

    async def stream(self, request: Request) -> AsyncIterator[str | Reply]:
        self.asked.append(request)
        for piece in self.pieces:
            self.given += 1
            yield piece
        if self.error:
            raise self.error
        yield reply("".join(self.pieces), self.finish)


def cut(text: str, places: Sequence[int]) -> list[str]:
    ends = sorted({place % (len(text) + 1) for place in places} | {len(text)})
    return [text[start:end] for start, end in zip([0, *ends], ends, strict=False)]


TEXTS = [
    json.dumps(PLAN),
    json.dumps(PLAN, ensure_ascii=False, indent=2),
    "Sure:\n```json\n" + json.dumps(PLAN) + "\n```",
]


@given(text=st.sampled_from(TEXTS), places=st.lists(st.integers(0, 2000), max_size=60))
def test_nodes_are_found_however_the_text_is_cut(text: str, places: list[int]) -> None:
    scanner = PlanScanner()
    assert [value for piece in cut(text, places) for value in scanner.feed(piece)] == NODES


@pytest.mark.parametrize("text", TEXTS, ids=["compact", "indented", "fenced"])
def test_a_node_is_found_the_moment_its_object_closes(text: str) -> None:
    scanner, seen = PlanScanner(), 0
    for end, letter in enumerate(text, 1):
        for value in scanner.feed(letter):
            assert value == NODES[seen]
            assert letter == "}"
            rest = json.dumps(NODES[seen]["id"])
            assert text[:end].count(f'"id": {rest}') == 1
            seen += 1
    assert seen == len(NODES)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ('{"nodes": []}', []),
        ('{"nodes" : [ {"id": "a"} , {"id": "b"} ]}', ["a", "b"]),
        ('{"nodes": [{"id": "a"}, {"id": "b"', ["a"]),
        ('{"nodes": [{"id": "a"}], "more": [{"id": "x"}]}', ["a"]),
        ('{"nodes": {"a": {"goal": "x"}, "b": {"with": {"c": {}}}}, "more": {"x": {}}}', ["a", "b"]),
        ('{"nodes": [{"id": "a"}], "output": {"id": "x"}}', ["a"]),
        ('{"nodes": [1, {"id": "a"}]}', []),
        ('{"output": {"x": "\\"nodes\\": [{\\"id\\": \\"no\\"}]"}, "nodes": [{"id": "a"}]}', ["a"]),
        ('{"nodes": [' + '{"a": ' * 5000 + "1" + "}" * 5000, []),
        ("no plan at all }", []),
    ],
)
def test_only_whole_objects_of_the_list_of_nodes_are_taken(text: str, ids: list[str]) -> None:
    for size in (1, 3, len(text)):
        scanner = PlanScanner()
        pieces = [text[start : start + size] for start in range(0, len(text), size)]
        assert [value["id"] for piece in pieces for value in scanner.feed(piece)] == ids


@given(
    st.lists(
        st.text(max_size=8) | st.sampled_from(['"nodes": [', "{", "}", '{"id": "a"}', "[", "]", '"', "\\"]), max_size=12
    )
)
def test_no_text_breaks_the_scanner(pieces: list[str]) -> None:
    scanner = PlanScanner()
    for piece in pieces:
        for value in scanner.feed(piece):
            assert isinstance(value, dict)


async def test_nodes_are_handed_on_while_the_rest_is_still_being_written() -> None:
    text = json.dumps(PLAN)
    model = Model([text[start : start + 5] for start in range(0, len(text), 5)])
    given_at: list[int] = []
    found: list[Node | Draft] = []
    async for piece in make_plan(ASSIGNMENT, model):
        given_at.append(model.given * 5)
        found.append(piece)
    *nodes, draft = found
    assert [node.id for node in nodes if isinstance(node, Node)] == ["a", "b", "c"]
    closes = [text.index(json.dumps(node)) + len(json.dumps(node)) for node in NODES]
    assert all(at - 5 < close <= at for at, close in zip(given_at, closes, strict=False))
    assert isinstance(draft, Draft)
    assert list(draft.nodes.values()) == nodes
    assert (draft.output, draft.text, draft.findings) == ("${nodes.c.output}", text, ())


async def test_a_bad_node_is_left_out_of_the_stream_and_reported_with_the_draft() -> None:
    bad: Json = {"nodes": [NODES[0], {"id": "x", "gaol": "typo"}, {"goal": "no id"}, NODES[1]], "output": None}
    *nodes, draft = [piece async for piece in make_plan(ASSIGNMENT, Model([json.dumps(bad)]))]
    assert [node.id for node in nodes if isinstance(node, Node)] == ["a", "b"]
    assert isinstance(draft, Draft)
    assert draft.nodes == {}
    assert {(finding.code, finding.node_id) for finding in draft.findings} == {("bad_node", "x"), ("bad_node", None)}
    assert any("gaol" in finding.text for finding in draft.findings)


async def test_a_stream_that_breaks_has_handed_on_what_was_whole_and_raises() -> None:
    model = Model([json.dumps(PLAN)[:260]], error=ModelError("big", FailureKind.TRANSPORT, "cut"))
    found: list[Node | Draft] = []

    async def read() -> None:
        async for piece in make_plan(ASSIGNMENT, model):
            found.append(piece)  # noqa: PERF401 - what came before the break is wanted

    with pytest.raises(ModelError):
        await read()
    assert [piece.id for piece in found if isinstance(piece, Node)] == ["a"]
    assert len(found) == 1


async def test_the_planner_is_told_the_task_the_tools_and_the_bounds() -> None:
    model = Model(["{}"])
    assert [piece async for piece in make_plan(ASSIGNMENT, model)]
    (request,) = model.asked
    system, user = request.messages
    assert (request.role, system.role, user.role) == ("planner", "system", "user")
    for part in ("db.query", "At most 7 nodes", "Be brief.", "A test", '"value": "count"', "what to do"):
        assert part in user.text
    other = Model(["{}"])
    assert [piece async for piece in make_plan(Assignment(**{**_fields(), "inputs": {"task": "x"}}), other)]
    assert other.asked[0].messages[0] == system, "the stable part comes first, byte for byte"


def _fields() -> dict[str, object]:
    return {name: getattr(ASSIGNMENT, name) for name in ASSIGNMENT.__slots__}


@pytest.mark.parametrize(
    ("text", "finish", "code", "message"),
    [
        ("I will not.", "refusal", "bad_json", "refused: I will not."),
        ('{"nodes": [', "length", "bad_json", "cut off"),
        ("here is a plan", "stop", "bad_json", "not JSON"),
        ("[1]", "stop", "bad_json", "one JSON object"),
        ("{}", "stop", "bad_json", "expected a list of nodes"),
        ('{"nodes": 3}', "stop", "bad_json", "expected a list of nodes"),
        ('{"nodes": [3]}', "stop", "bad_node", "expected an id"),
        ('{"nodes": [{"id": "a b", "goal": "x"}]}', "stop", "bad_node", 'found "a b"'),
        ('{"nodes": [{"id": "a"}]}', "stop", "bad_node", "expected a goal"),
        ('{"nodes": [{"id": "a", "goal": "x", "tool": "t", "code": "1"}]}', "stop", "bad_node", "at most one"),
        ('{"nodes": {"a": 5}}', "stop", "bad_node", "expected a goal"),
        ('{"nodes": [{"id": "a", "goal": "x"}, {"id": "a", "goal": "y"}]}', "stop", "id_reused", "two nodes"),
        ('{"nodes": [{"id": "a", "goal": "x", "with": {"n": 1e999}}]}', "stop", "bad_json", "not JSON"),
    ],
)
def test_what_cannot_be_read_as_a_plan_becomes_findings(text: str, finish: Finish, code: str, message: str) -> None:
    draft = read_draft(reply(text, finish))
    assert draft.nodes == {}
    assert draft.text == text
    assert draft.findings[0].code == code
    assert message in draft.findings[0].message


def test_nodes_may_be_given_as_a_mapping_whose_keys_are_the_ids() -> None:
    draft = read_draft(reply('{"nodes": {"a": {"goal": "x"}, "b": {"id": "z", "code": "1"}}, "output": {"r": 1}}'))
    assert [(node.id, node.kind) for node in draft.nodes.values()] == [("a", "worker"), ("b", "code")]
    assert (draft.output, draft.findings) == ({"r": 1}, ())


def test_every_field_of_a_node_is_read() -> None:
    node = read_node(
        {
            "id": "n",
            "goal": "g",
            "with": {"x": 1},
            "needs": ["m"],
            "checks": [{"expr": "output > 1"}, {"agree": {"samples": 3, "quorum": 2}}],
            "tools": ["db", {"tool": "files.read", "args": {"path": "p"}, "max_calls": 2}],
            "effort": "high",
            "timeout": "30s",
        }
    )
    assert (node.id, node.goal, dict(node.inputs), node.needs, node.effort) == ("n", "g", {"x": 1}, ("m",), "high")
    assert node.checks == (ExprCheck(expr="output > 1"),)
    assert node.agree is not None
    assert (node.agree.samples, node.timeout_s) == (3, 30.0)
    assert [(grant.tool, dict(grant.args), grant.max_calls) for grant in node.tools] == [
        ("db", {}, None),
        ("files.read", {"path": "p"}, 2),
    ]


@pytest.mark.parametrize("value", ["${env:HOME}", "${env:SECRET:-x}", "\ud800"])
def test_a_planner_sees_no_environment_and_breaks_nothing(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "s3cret")
    shown = ""
    try:
        shown = read_node({"id": "n", "goal": value}).goal
    except PlanError as exc:
        shown = str(exc)
    assert shown
    assert "s3cret" not in shown


async def test_a_repair_sends_the_rejected_plan_and_its_findings_back() -> None:
    model = Model([json.dumps({"nodes": [NODES[1]]})])
    finding = Finding(code="cycle", node_id=NodeId("a"), field="with.x", message="a -> a")
    draft = await repair_plan(ASSIGNMENT, "the rejected text", [finding], model, attempt=2)
    assert list(draft.nodes) == ["b"]
    (request,) = model.asked
    assert request.attempt == 2
    assert [message.role for message in request.messages] == ["system", "user", "assistant", "user"]
    assert request.messages[2].text == "the rejected text"
    for part in ('"code": "cycle"', '"node": "a"', '"field": "with.x"', "a -> a"):
        assert part in request.messages[3].text


TROUBLE = Trouble(
    plan=NODES,
    output="${nodes.c.output}",
    done={NodeId("a"): {"rows": [1, 2]}, NodeId("long"): "x" * 9000},
    failed={
        NodeId("b"): Failed(
            kind=FailureKind.CHECK,
            message="m" * 2000,
            code="other",
            evidence=(
                Evidence(check="schema", passed=True, expected="passed one", found="fine"),
                Evidence(check="expr: x", passed=False, expected="more than 3", found="2", where="output.n"),
            ),
            output={"n": 2},
        )
    },
    waiting=[NodeId("c")],
    running=[NodeId("d")],
)


async def test_a_replan_sees_evidence_and_results_but_no_transcript() -> None:
    model = Model([json.dumps({"nodes": [NODES[1]], "remove": ["c"]})])
    patch = await replan(ASSIGNMENT, TROUBLE, model, attempt=3)
    assert (list(patch.nodes), patch.remove, patch.output) == (["b"], ("c",), None)
    (request,) = model.asked
    assert [message.role for message in request.messages] == ["system", "user"]
    text = request.messages[1].text
    for part in (
        "more than 3",
        '"found": "2"',
        '"n": 2',
        '"rows": [',
        "characters more]",
        "# Still running",
        "output.n",
    ):
        assert part in text
    assert "passed one" not in text
    assert "m" * 501 not in text
    assert "x" * 1501 not in text
    assert "not accepted" not in text


async def test_a_patch_that_was_not_accepted_goes_back_with_its_findings() -> None:
    model = Model(['{"nodes": []}'])
    finding = Finding(code="id_reused", node_id=NodeId("a"), message="it is done")
    patch = await replan(ASSIGNMENT, TROUBLE, model, attempt=4, findings=[finding])
    assert (patch.nodes, patch.remove) == ({}, ())
    text = model.asked[0].messages[1].text
    assert "Your last patch was not accepted" in text
    assert "it is done" in text


@pytest.mark.parametrize(
    ("text", "ids", "removed", "output"),
    [
        ("{}", [], (), None),
        ('{"nodes": null, "remove": null, "output": null}', [], (), None),
        ('{"remove": ["a", "b"], "output": {"x": 1}}', [], ("a", "b"), {"x": 1}),
        ('{"nodes": {"n": {"goal": "g"}}}', ["n"], (), None),
        ('```json\n{"nodes": [{"id": "n", "goal": "g"}]}\n```', ["n"], (), None),
    ],
)
def test_patches_are_read(text: str, ids: list[str], removed: tuple[str, ...], output: Json) -> None:
    patch = read_patch(reply(text))
    assert (list(patch.nodes), patch.remove, patch.output) == (ids, removed, output)


@pytest.mark.parametrize(
    ("text", "finish", "message"),
    [
        ('{"remove": "a"}', "stop", "expected a list of node ids"),
        ('{"remove": {"a": 1}}', "stop", "expected a list of node ids"),
        ('{"nodes": [{"id": "a"}]}', "stop", "expected a goal"),
        ("[]", "stop", "one JSON object"),
        ("no", "refusal", "refused"),
        ('{"nodes": []}', "length", "cut off"),
    ],
)
def test_what_is_no_patch_is_a_plan_error(text: str, finish: Finish, message: str) -> None:
    with pytest.raises(PlanError, match=message):
        read_patch(reply(text, finish))


ENDLESS = {
    "escapes": '{"nodes":[{"goal":"' + '\\"' * 300_000,
    "an open string": '{"nodes":[{"goal":"' + "x" * 600_000,
    "commas": '{"nodes":[' + "," * 600_000 + "{}",
    "braces": '{"nodes":[' + "{" * 600_000,
    "blanks": '"nodes"' + " " * 600_000,
}


@pytest.mark.parametrize("text", ENDLESS.values(), ids=ENDLESS.keys())
def test_a_plan_without_end_is_read_in_small_pieces_once(text: str) -> None:
    scanner = PlanScanner()
    found = [node for at in range(0, len(text), 20) for node in scanner.feed(text[at : at + 20])]
    assert len(found) <= 1


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (json.dumps({"nodes": [{"idd": 1}] * 20_000}), "bad_node"),
        (json.dumps({"nodes": [{"id": "a", **{f"k{n}": 1 for n in range(20_000)}}]}), "bad_node"),
        ('{"nodes": [{"id": "a", "with": ' + "[" * 5000 + "]" * 5000 + "}]}", "bad_json"),
        ("[" * 1_000_000, "bad_json"),
        ("{ " * 500_000, "bad_json"),
        ("```json\n" * 100_000, "bad_json"),
    ],
    ids=["bad nodes", "unknown keys", "deep", "brackets", "braces", "fences"],
)
def test_a_huge_plan_becomes_findings(text: str, code: str) -> None:
    reply = Reply(text=text, finish="stop", usage=Usage(calls=1), model="m")
    assert read_draft(reply).findings[0].code == code
