"""The planner: a big model writes a plan, repairs it, and mends it behind a failure."""

import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from json import JSONDecoder
from typing import TypeAlias, cast

from planloom.agents.prompting import block, clip, prompt, section
from planloom.configs.nodes import NodeSpec
from planloom.configs.plain import plain
from planloom.configs.validate import check
from planloom.core.errors import PlanError
from planloom.core.json import Json, JsonObject, clean, is_too_deep
from planloom.core.outcome import Failed
from planloom.core.plan import Finding, Node, NodeId, PlanPatch
from planloom.models.base import ChatModel, Message, Reply, Request, StreamingModel
from planloom.models.text import extract_json

_NODES = re.compile(r'(?<!\\)"nodes"\s*:\s*[\[{]')
_NODES_WIDTH = 64
"""Characters that `"nodes": [` may be spread over."""
_MARK = re.compile(r'["{}]')
_STRING = re.compile(r'(?:[^"\\]|\\.)*', re.DOTALL)
"""The rest of a string, whose braces do not count, up to its quote or to half an escape at the end."""
_OBJECT = re.compile(r'[\s,]*(?:"([^"\\]+)"\s*:\s*)?\{')
"""The start of a node: in a list, or behind its id in a mapping."""
_RESULT_CHARS = 1500
_NODE_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What the planner is asked to plan, and with what."""

    inputs: JsonObject
    input_notes: JsonObject
    """Type and description of each input."""
    description: str
    """What the workflow is for."""
    tools: Sequence[JsonObject]
    """Catalogue of tools: name, description, parameters, effect."""
    max_nodes: int
    instructions: str
    """House rules."""
    offers: Sequence[JsonObject] = ()
    """Plans that worked for similar tasks."""
    memory: bool = False
    """Whether nodes may recall and remember."""
    panels: bool = False
    """Whether nodes may be panels."""
    single: bool = False
    """Whether it may ask for one worker in place of the plan's."""
    remembered: str = ""
    """What earlier runs remembered, as a section of the prompt."""
    method: str = ""
    """Another way to come to a plan, by name; empty for the planner's own."""
    drafts: Sequence[JsonObject] = ()
    """Plans of other planners for this very task, which are not the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A whole plan as the planner wrote it, not yet compiled."""

    nodes: Mapping[NodeId, Node]
    output: Json
    text: str
    """The reply itself, for a repair round."""
    single: bool = False
    """One worker should do what the nodes that ask a model do."""
    findings: tuple[Finding, ...] = ()
    """What could not be read as a plan at all."""


Planned: TypeAlias = Node | Draft


class PlanScanner:
    """Finds complete node objects in a plan while its text still grows."""

    def __init__(self) -> None:
        self._text = ""
        self._begin: int | None = None
        """Where the next object starts, or the blank before it."""
        self._seen = 0
        """Up to where braces have been counted."""
        self._depth = 0
        self._in_string = False
        self._by_id = False
        """Whether the nodes stand in a mapping by id."""
        self._decoder = JSONDecoder()

    def feed(self, piece: str) -> Iterator[JsonObject]:
        """Take the next piece of text; yield the node objects that it completes."""
        before, self._text = len(self._text), self._text + piece
        if self._begin is None:
            start = _NODES.search(self._text, max(0, before - _NODES_WIDTH))
            if start is None:
                return
            self._begin = self._seen = start.end()
            self._by_id = start[0].endswith("{")
        for close in self._braces():
            if close and (value := self._object(close)) is not None:
                yield value

    def _braces(self) -> Iterator[int]:
        """Count braces up to the end of the text, each character once; yield where an outermost one has closed."""
        while self._seen < len(self._text):
            if self._in_string:
                rest = _STRING.match(self._text, self._seen)
                self._seen = rest.end() if rest else self._seen
                if self._text[self._seen : self._seen + 1] != '"':
                    return
                self._in_string = False
                self._seen += 1
                continue
            mark = _MARK.search(self._text, self._seen)
            self._seen = mark.end() if mark else len(self._text)
            if mark and mark[0] == '"':
                self._in_string = True
            elif mark:
                self._depth += 1 if mark[0] == "{" else -1
                yield self._seen if mark[0] == "}" and self._depth == 0 else 0

    def _object(self, end: int) -> JsonObject | None:
        """Return the object that ends here, if what stands before it is only a comma."""
        begin, self._begin = self._begin or 0, end
        start = _OBJECT.match(self._text, begin, end)
        if start is None:
            return None
        try:
            value, _ = self._decoder.raw_decode(self._text, start.end() - 1)
        except (ValueError, RecursionError):
            return None
        if is_too_deep(value) or bool(start[1]) is not self._by_id:
            return None
        node = cast(JsonObject, value)
        return {"id": start[1], **node} if self._by_id else node


async def make_plan(assignment: Assignment, model: StreamingModel) -> AsyncIterator[Planned]:
    """Yield each node as soon as its object is complete, then the whole draft.

    Raises:
        ModelError: The model gave no usable reply.
        BudgetExceeded: The call does not fit the budget.
    """
    messages = (_system(), Message(role="user", text=_brief(assignment)))
    scanner, reply = PlanScanner(), None
    async for piece in model.stream(Request(messages=messages, role="planner")):
        if isinstance(piece, Reply):
            reply = piece
            continue
        for value in scanner.feed(piece):
            try:
                yield read_node(value)
            except PlanError:
                continue  # reported with the whole draft
    if reply is not None:
        yield read_draft(reply)


async def draft_plan(assignment: Assignment, model: ChatModel, *, attempt: int) -> Draft:
    """Return a plan as a whole: nothing of it may start before it is compared with others.

    Raises:
        ModelError: As `make_plan`.
        BudgetExceeded: As `make_plan`.
    """
    messages = (_system(), Message(role="user", text=_brief(assignment)))
    return read_draft(await model(Request(messages=messages, role="planner", attempt=attempt)))


async def repair_plan(
    assignment: Assignment, text: str, findings: Sequence[Finding], model: StreamingModel, *, attempt: int
) -> Draft:
    """Send a rejected plan back with its findings and return the corrected one.

    Raises:
        ModelError: As `make_plan`.
        BudgetExceeded: As `make_plan`.
    """
    facts: Json = [finding.as_json() for finding in findings]
    messages = (
        _system(),
        Message(role="user", text=_brief(assignment)),
        Message(role="assistant", text=text),
        Message(role="user", text=f"{prompt('repair')}\n\n{block(facts)}"),
    )
    return read_draft(await model(Request(messages=messages, role="planner", attempt=attempt)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Where a run stands when nodes have failed for good: all that a replan may see."""

    plan: Sequence[JsonObject]
    """The nodes of the plan in force, as the planner writes them."""
    output: Json
    done: Mapping[NodeId, Json]
    failed: Mapping[NodeId, Failed]
    waiting: Sequence[NodeId]
    """Nodes that cannot start because of the failures."""
    running: Sequence[NodeId]


async def replan(
    assignment: Assignment, trouble: Trouble, model: StreamingModel, *, attempt: int, findings: Sequence[Finding] = ()
) -> PlanPatch:
    """Ask for a patch behind the failures: evidence and results go up, no transcript and no reasoning.

    Raises:
        PlanError: The reply is not a patch.
        ModelError: As `make_plan`.
        BudgetExceeded: As `make_plan`.
    """
    text = _brief(assignment) + "\n\n" + section("Plan in force", block([*trouble.plan]))
    text += section("Output template in force", block(trouble.output))
    text += section("Done, results kept", block({k: clip(v, _RESULT_CHARS) for k, v in trouble.done.items()}))
    text += section("Failed", block([_failure(node_id, failed) for node_id, failed in trouble.failed.items()]))
    text += section("Waiting behind the failures", ", ".join(trouble.waiting))
    text += section("Still running, leave alone", ", ".join(trouble.running))
    if findings:
        text += section("Your last patch was not accepted", block([finding.as_json() for finding in findings]))
    messages = (_system(), Message(role="user", text=f"{text}{prompt('replan')}"))
    return read_patch(await model(Request(messages=messages, role="planner", attempt=attempt)))


def _failure(node_id: NodeId, failed: Failed) -> Json:
    return {
        "node": node_id,
        "kind": failed.kind.value,
        "code": failed.code,
        "message": failed.message[:500],
        "evidence": [item.as_json() for item in failed.evidence if not item.passed],
        "rejected_result": clip(failed.output, _RESULT_CHARS),
    }


def _system() -> Message:
    return Message(role="system", text=prompt("planner"))


def _brief(assignment: Assignment) -> str:
    inputs: JsonObject = {
        name: {"value": clip(value, 8000), **_as_object(assignment.input_notes.get(name))}
        for name, value in assignment.inputs.items()
    }
    return (
        section("Tools", block([*assignment.tools]) if assignment.tools else "There are none.")
        + section("Bounds", f"At most {assignment.max_nodes} nodes.")
        + section("House rules", assignment.instructions)
        + section("Purpose", assignment.description)
        + section("Panels", prompt("panels") if assignment.panels else "")
        + section("One worker", prompt("single") if assignment.single else "")
        + section("Memory", prompt("memory") if assignment.memory else "")
        + section("Plans of similar tasks", _offers(assignment))
        + section("Inputs of the task", block(inputs))
        + assignment.remembered
        + section("Plans that differ", _drafts(assignment))
        + section("How to go about it", prompt(f"plan_{assignment.method}") if assignment.method else "")
    ).strip()


def _offers(assignment: Assignment) -> str:
    return f"{prompt('reuse')}\n\n{block([*assignment.offers])}" if assignment.offers else ""


def _drafts(assignment: Assignment) -> str:
    return f"{prompt('drafts')}\n\n{block([*assignment.drafts])}" if assignment.drafts else ""


def _as_object(value: Json) -> JsonObject:
    return value if isinstance(value, dict) else {}


def read_node(value: JsonObject) -> Node:
    """Return the node a planner wrote.

    Raises:
        PlanError: It does not fit the node's form.
    """
    fields = dict(value)
    node_id = fields.pop("id", None)
    if not isinstance(node_id, str) or not _NODE_ID.fullmatch(node_id):
        message = f"expected an id of letters, digits and _, found {json.dumps(node_id)}"
        raise PlanError([Finding(code="bad_node", field="id", message=message)])
    checked = check(NodeSpec, plain(fields, "plan"), env=None)  # a planner sees no environment
    if checked.spec is None or checked.problems:
        raise PlanError(
            [
                Finding(code="bad_node", node_id=NodeId(node_id), field=problem.field, message=problem.message)
                for problem in checked.problems
            ]
        )
    return checked.spec.to_node(node_id)


def read_plan(value: JsonObject, text: str = "") -> Draft:
    """Read a plan as a planner writes one.

    Raises:
        PlanError: A node does not fit the form.
    """
    single = value.get("single") is True
    return Draft(nodes=_read_nodes(value.get("nodes")), output=value.get("output"), text=text, single=single)


def read_draft(reply: Reply) -> Draft:
    """Read a whole plan out of a reply; what cannot be read becomes findings."""
    try:
        return read_plan(_read_object(reply), reply.text)
    except PlanError as exc:
        return Draft(nodes={}, output=None, text=reply.text, findings=exc.findings)


def read_patch(reply: Reply) -> PlanPatch:
    """Read a patch out of a reply.

    Raises:
        PlanError: It is not a patch; every bad node is named.
    """
    value = _read_object(reply)
    remove = value.get("remove") or []
    if not isinstance(remove, list):
        raise PlanError([Finding(code="bad_json", field="remove", message="expected a list of node ids")])
    nodes = _read_nodes(value.get("nodes") or [])
    return PlanPatch(nodes=nodes, remove=tuple(NodeId(str(i)) for i in remove), output=value.get("output"))


def _read_object(reply: Reply) -> JsonObject:
    if reply.finish == "refusal":
        raise PlanError([Finding(code="bad_json", message=f"the planner refused: {reply.text[:300]}")])
    if reply.finish == "length":
        message = "the reply was cut off at the model's max_output_tokens; write a shorter plan"
        raise PlanError([Finding(code="bad_json", message=message)])
    try:
        value = clean(extract_json(reply.text))
    except ValueError as exc:
        raise PlanError([Finding(code="bad_json", message=f"the reply is not JSON: {exc}")]) from exc
    if not isinstance(value, dict):
        raise PlanError([Finding(code="bad_json", message="expected one JSON object with `nodes`")])
    return value


def _read_nodes(value: Json) -> dict[NodeId, Node]:
    if isinstance(value, dict):
        value = [{**_as_object(fields), "id": key} for key, fields in value.items()]
    if not isinstance(value, list):
        raise PlanError([Finding(code="bad_json", field="nodes", message="expected a list of nodes")])
    nodes: dict[NodeId, Node] = {}
    findings: list[Finding] = []
    for item in value:
        try:
            node = read_node(item if isinstance(item, dict) else {})
        except PlanError as exc:
            findings += exc.findings
            continue
        if node.id in nodes:
            findings.append(Finding(code="id_reused", node_id=node.id, message="two nodes have this id"))
        nodes[node.id] = node
    if findings:
        raise PlanError(findings)
    return nodes
