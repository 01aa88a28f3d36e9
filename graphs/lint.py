"""What can be wrong with a single node, seen against what the workflow offers."""

import difflib
import keyword
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import cast

from planloom.configs.json_schema import misfits, schema_faults
from planloom.configs.schema_words import oddities
from planloom.core.check import Agree, Check, CodeCheck, ExprCheck, FunctionCheck, JudgeCheck, RegexCheck
from planloom.core.expr import ExprError, inputs_in, names_in, nodes_in
from planloom.core.json import Json, JsonObject, canonical
from planloom.core.panel import Panel
from planloom.core.pattern import PatternError, check_pattern
from planloom.core.plan import Effect, Finding, FindingCode, Node, NodeId
from planloom.core.refs import Ref, RefError, find_refs, foreign_refs
from planloom.graphs.lint_code import code_faults
from planloom.tools.base import Tool

_LITERALS = {"True", "False", "None", "true", "false", "null"}
_EFFECTS: tuple[Effect, ...] = ("pure", "read", "write")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a plan may refer to."""

    inputs: frozenset[str]
    tools: Mapping[str, tuple[Tool, ...]]
    """Operations by every name a grant may use: sources and single operations."""
    rungs: frozenset[str]
    max_nodes: int
    by_hand: bool
    """Written by a person, who may name any Python function as a check."""
    refs: frozenset[str] = frozenset()
    """Functions that a planner may name as checks: those the workflow itself names."""
    by_planner: frozenset[NodeId] = frozenset()
    """Nodes of a plan by hand that a planner wrote: their references are nobody's grant."""
    untrusted_inputs: frozenset[str] = frozenset()
    panels: bool = False
    """A planner may write nodes with a panel."""
    hold_writes: bool = False
    """Nodes with a `write` effect wait for approval."""
    memory: bool = False
    """Whether the workflow keeps memories."""
    untrusted_memory: bool = False
    """What nodes recall may hold text of others."""


def references(node: Node) -> Iterator[tuple[str, Ref]]:
    """Yield every reference of a node with the field it stands in.

    Raises:
        RefError: One is malformed.
    """
    yield from find_refs(node.goal, "goal")
    yield from find_refs(dict(node.inputs), "with")
    yield from find_refs(node.map, "map")
    for index, grant in enumerate(node.tools):
        yield from find_refs(dict(grant.args), f"tools[{index}].args")
    yield from find_refs(node.remember, "remember")


def dependencies(node: Node) -> frozenset[NodeId]:
    """Return the nodes that must settle before this one starts: derived from data flow, plus `needs`.

    Raises:
        RefError: A reference is malformed.
        ExprError: The condition cannot be read.
    """
    found = {ref.node_id for _, ref in references(node) if ref.node_id}
    if node.when is not None:
        found |= {NodeId(node_id) for node_id in nodes_in(node.when)}
    return frozenset(found | set(node.needs))


def effect_of(node: Node, facts: Facts) -> Effect:
    """Return the strongest effect the node can have: its own, or that of a tool it may call."""
    names = [str(grant.tool) for grant in node.tools] + ([str(node.tool)] if node.tool else [])
    effects: list[Effect] = [node.effect, *(tool.effect for name in names for tool in facts.tools.get(name, ()))]
    return max(effects, key=_EFFECTS.index)


def did_you_mean(name: str, known: Mapping[str, object] | frozenset[str] | set[str]) -> str:
    """Return a hint that ends a sentence: the nearest known name, or the list of all."""
    near = difflib.get_close_matches(name, [str(item) for item in known], n=1)
    if near:
        return f"; did you mean {near[0]!r}?"
    listed = ", ".join(sorted(str(item) for item in known)[:12])
    return f"; there are: {listed}" if listed else "; there are none"


def lint_node(node: Node, facts: Facts) -> list[Finding]:
    """Return everything wrong with a node that can be seen without the other nodes."""
    return [
        *_lint_refs(node, facts),
        *_lint_tools(node, facts),
        *_lint_checks(node, facts),
        *(_lint_agree(node, node.agree, facts) if node.agree is not None else ()),
        *_lint_shape(node),
        *_lint_memory(node, facts),
        *_lint_model(node, facts),
        *(lint_panel(node, node.panel, facts) if node.panel is not None else ()),
        *_lint_rest(node),
    ]


def _finding(node: Node, code: FindingCode, field: str, message: str) -> Finding:
    return Finding(code=code, node_id=node.id, field=field, message=message)


def _lint_refs(node: Node, facts: Facts) -> Iterator[Finding]:
    try:
        found = list(references(node))
    except RefError as exc:
        field, _, message = str(exc).partition(": ")
        yield _finding(node, "bad_expression", field, message or str(exc))
        return
    for field, ref in found:
        if ref.root == "inputs" and ref.path[0] not in facts.inputs:
            hint = did_you_mean(str(ref.path[0]), facts.inputs)
            yield _finding(node, "unknown_input", field, f"no input {ref.path[0]!r}{hint}")
        if ref.root in ("item", "index") and node.map is None:
            yield _finding(node, "bad_expression", field, f"${{{ref.text}}} has a meaning only in a node with `map`")
    for field, text in foreign_refs({"goal": node.goal, "with": dict(node.inputs)}):
        message = f"{text} stays as it stands; a reference is written ${{inputs.NAME}} or ${{nodes.ID.output}}"
        yield replace(_finding(node, "bad_expression", field, message), fatal=False)
    if node.when is not None:
        yield from _lint_when(node, node.when, facts)


def _lint_when(node: Node, when: str, facts: Facts) -> Iterator[Finding]:
    faults = list(_lint_expr(node, "when", when, {"inputs", "nodes"} | _element_names(node), facts))
    yield from faults
    try:
        nodes_in(when)
    except ExprError as exc:
        if not faults:
            yield _finding(node, "bad_expression", "when", str(exc))


def _element_names(node: Node) -> set[str]:
    return {"item", "index"} if node.map is not None else set()


def _lint_expr(node: Node, field: str, text: str, known: set[str], facts: Facts) -> Iterator[Finding]:
    try:
        unknown = names_in(text) - known - _LITERALS
    except ExprError as exc:
        yield _finding(node, "bad_expression", field, str(exc))
        return
    for name in sorted(unknown):
        yield _finding(node, "bad_expression", field, f"unknown name {name!r} in {text!r}{did_you_mean(name, known)}")
    for name in sorted(inputs_in(text) - facts.inputs) if "inputs" not in node.inputs else ():
        yield _finding(node, "unknown_input", field, f"no input {name!r}{did_you_mean(name, facts.inputs)}")


def _lint_tools(node: Node, facts: Facts) -> Iterator[Finding]:
    for index, grant in enumerate(node.tools):
        tools, field = facts.tools.get(grant.tool), f"tools[{index}]"
        if tools is None:
            yield _finding(
                node, "unknown_tool", field, f"no tool {grant.tool!r}{did_you_mean(grant.tool, facts.tools)}"
            )
            continue
        if not facts.by_hand and node.effect != "write" and any(tool.effect == "write" for tool in tools):
            message = f"{grant.tool!r} can write, but the node says effect {node.effect!r}; grant less"
            yield _finding(node, "grant_too_wide", field, message)
        parameters = {name for tool in tools for name in _properties(tool.parameters)}
        for name in set(grant.args) - parameters:
            hint = did_you_mean(name, parameters)
            yield _finding(
                node,
                "grant_too_wide",
                f"{field}.args.{name}",
                f"{grant.tool!r} has no argument {name!r}{hint}",
            )
        if len(tools) == 1:
            yield from _lint_fixed(node, tools[0], dict(grant.args), f"{field}.args")
    if node.tool is not None:
        yield from _lint_tool_node(node, facts)


def _lint_tool_node(node: Node, facts: Facts) -> Iterator[Finding]:
    tools = facts.tools.get(node.tool or "")
    if tools is None:
        yield _finding(
            node, "unknown_tool", "tool", f"no tool {node.tool!r}{did_you_mean(node.tool or '', facts.tools)}"
        )
        return
    if len(tools) != 1:
        names = ", ".join(tool.name for tool in tools)
        yield _finding(node, "unknown_tool", "tool", f"{node.tool!r} has several operations; name one of {names}")
        return
    tool = tools[0]
    if not facts.by_hand and node.effect != "write" and tool.effect == "write":
        yield _finding(
            node, "grant_too_wide", "tool", f"{tool.name!r} writes, but the node says effect {node.effect!r}"
        )
    yield from _lint_arguments(node, tool)


def _lint_arguments(node: Node, tool: Tool) -> Iterator[Finding]:
    """Hold the `with` block against the tool's parameters; what holds a reference is known only at run time."""
    known = _properties(tool.parameters)
    for name in set(node.inputs) - set(known):
        yield _finding(
            node,
            "schema_mismatch",
            f"with.{name}",
            f"{tool.name!r} has no argument {name!r}{did_you_mean(name, known)}",
        )
    yield from _lint_values(node, tool, dict(node.inputs), "with")
    for name, message in tool.vet(dict(node.inputs)) if tool.vet is not None else ():
        yield _finding(node, "schema_mismatch", f"with.{name}", message)
    required = cast(list[str], tool.parameters.get("required", []))
    for name in (name for name in required if name not in node.inputs):
        yield _finding(node, "missing_input", "with", f"{tool.name!r} needs the argument {name!r}")


def _lint_values(node: Node, tool: Tool, args: JsonObject, place: str) -> Iterator[Finding]:
    known = _properties(tool.parameters)
    for name, value in args.items():
        schema = known.get(name)
        if isinstance(schema, dict) and "$ref" not in canonical(schema) and "${" not in canonical(value):
            for field, message in misfits(value, schema, f"{place}.{name}"):
                yield _finding(node, "schema_mismatch", field, message)


def _lint_fixed(node: Node, tool: Tool, args: JsonObject, place: str) -> Iterator[Finding]:
    """Hold the fixed arguments of a grant against its tool; what the model fills in is known only at run time."""
    yield from _lint_values(node, tool, args, place)
    later: JsonObject = dict.fromkeys(tool.names, "${later}")
    for name, message in tool.vet({**later, **args}) if tool.vet is not None else ():
        yield _finding(node, "schema_mismatch", f"{place}.{name}", message)


def _properties(schema: Mapping[str, Json]) -> JsonObject:
    properties = schema.get("properties")
    return properties if isinstance(properties, dict) else {}


def _lint_checks(node: Node, facts: Facts) -> Iterator[Finding]:
    names = {"output", "inputs", *node.inputs} | _element_names(node)
    for index, check in enumerate(node.checks):
        yield from _lint_check(node, f"checks[{index}]", check, names, facts)


def _lint_check(node: Node, field: str, check: Check, names: set[str], facts: Facts) -> Iterator[Finding]:
    match check:
        case ExprCheck():
            yield from _lint_expr(node, f"{field}.expr", check.expr, names, facts)
        case RegexCheck():
            try:
                check_pattern(check.pattern)
            except PatternError as exc:
                yield _finding(node, "bad_expression", f"{field}.regex", f"not an RE2 pattern: {exc}")
        case CodeCheck():
            known = frozenset(names) if check.load is None else None  # code in the output may make any name
            yield from _lint_code(node, f"{field}.code", check.code, known)
        case FunctionCheck() if not facts.by_hand and check.ref not in facts.refs:
            message = f"a planner may not name Python functions ({check.ref!r}); use expr, regex or code"
            yield _finding(node, "grant_too_wide", f"{field}.ref", message)
        case JudgeCheck() if check.model is None and not facts.rungs:
            message = "a judge needs a model; the workflow has none under `models`"
            yield _finding(node, "unknown_model", f"{field}.judge", message)
        case JudgeCheck() if check.model is not None and check.model not in facts.rungs:
            hint = did_you_mean(check.model, facts.rungs)
            yield _finding(node, "unknown_model", f"{field}.model", f"no model {check.model!r}{hint}")
        case _:
            pass


def _lint_code(node: Node, field: str, code: str, known: frozenset[str] | None) -> Iterator[Finding]:
    for fault in code_faults(code, known):
        yield _finding(node, "bad_expression", field, fault)


def _lint_agree(node: Node, agree: Agree, facts: Facts) -> Iterator[Finding]:
    if effect_of(node, facts) == "write":
        yield _finding(node, "bad_node", "checks", "samples of a node that writes would write several times")
    if node.kind != "worker":
        why = "a panel compares its claims already" if node.kind == "panel" else "this node asks none"
        yield _finding(node, "bad_node", "checks", f"`agree` compares answers of a model; {why}")
    for name in (voice.model for voice in agree.vary):
        if name is not None and name not in facts.rungs:
            message = f"no model {name!r} to vary with{did_you_mean(name, facts.rungs)}"
            yield _finding(node, "unknown_model", "checks", message)


def _lint_shape(node: Node) -> Iterator[Finding]:
    if isinstance(node.map, str) and "${" not in node.map:
        yield _finding(node, "bad_node", "map", f"expected a list or a reference to one, found {node.map!r}")
    for name in node.inputs if node.code is not None else ():
        if keyword.iskeyword(name):
            yield _finding(node, "bad_node", f"with.{name}", f"{name!r} is a word of Python and cannot be a variable")
    if node.code is not None and not node.code.strip():
        yield _finding(node, "bad_expression", "code", "expected Python, found nothing")
    if node.id == "plan":
        yield _finding(node, "bad_node", "", "`plan` means the plan as a whole where answers are given; use another id")


def _lint_memory(node: Node, facts: Facts) -> Iterator[Finding]:
    for field, used in ("recall", node.recall), ("remember", node.remember):
        if used and not facts.memory:
            yield _finding(node, "bad_node", field, f"`{field}` needs a `memory`; the workflow has none")
    if node.recall and node.kind not in ("worker", "panel"):
        yield _finding(node, "bad_node", "recall", "only a model can be shown what is recalled; this node asks none")


def _lint_model(node: Node, facts: Facts) -> Iterator[Finding]:
    if node.model is not None and node.model not in facts.rungs:
        yield _finding(
            node, "unknown_model", "model", f"no model {node.model!r}{did_you_mean(node.model, facts.rungs)}"
        )
    if node.kind in ("worker", "panel") and not facts.rungs:
        yield _finding(
            node,
            "unknown_model",
            "goal",
            "a node with a goal needs a model; the workflow has none under `models`",
        )


def lint_panel(node: Node, panel: Panel, facts: Facts) -> Iterator[Finding]:
    """Yield what is wrong with a node's panel."""
    if not facts.by_hand and not facts.panels:
        message = "the workflow does not let a planner write panels (`planner.panels`); use a goal alone"
        yield _finding(node, "grant_too_wide", "panel", message)
    if effect_of(node, facts) == "write":
        message = "members of a panel read at once and may not write; let a node behind it write"
        yield _finding(node, "grant_too_wide", "tools", message)
    if node.max_calls < panel.calls_a_round:
        message = f"one round takes {panel.calls_a_round} calls, one for each member and the moderator"
        yield _finding(node, "bad_node", "max_calls", f"{message}; at most {node.max_calls} are allowed")
    voices = [(f"panel.members.{member.name}.model", member.model) for member in panel.members]
    for field, name in (("panel.moderator.model", panel.moderator), *voices):
        if name is not None and name not in facts.rungs:
            yield _finding(node, "unknown_model", field, f"no model {name!r}{did_you_mean(name, facts.rungs)}")
    texts = [(f"panel.members.{member.name}", member.role + member.instructions) for member in panel.members]
    for field, text in (("panel.moderator", panel.instructions), *texts):
        if "${" in text:
            message = "references are not filled in here; put them under `with` and name them in the goal"
            yield _finding(node, "bad_expression", field, message)


def _lint_rest(node: Node) -> Iterator[Finding]:
    if node.code is not None:
        yield from _lint_code(node, "code", node.code, frozenset({"inputs", *node.inputs}) | _element_names(node))
    if node.output is not None:
        for field, message in schema_faults(dict(node.output), "output"):
            yield _finding(node, "bad_schema", field, message)
        for field, message in oddities(dict(node.output), "output"):
            yield replace(_finding(node, "bad_schema", field, message), fatal=False)
