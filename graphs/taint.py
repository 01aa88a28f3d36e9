"""Where text from outside can get to: labels of values, and the flows into parameters that steer a tool.

Everything follows from the plan alone, so what is shown before a run is what is enforced in it. A label is the set of
places an untrusted value may come from: tools by name, inputs as `inputs.NAME`. An empty label is trusted.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import TypeAlias

from planloom.core.fields import covers
from planloom.core.json import Json, JsonObject
from planloom.core.outcome import Evidence, Failed
from planloom.core.plan import Finding, Grant, Node, NodeId, ToolName
from planloom.core.refs import Ref, Step, find_refs, whole_ref
from planloom.tools.base import Tool

Label: TypeAlias = frozenset[str]
TRUSTED: Label = frozenset()
MEMORY: Label = frozenset({"memory"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """An untrusted value on its way into a control parameter."""

    node_id: NodeId
    tool: ToolName
    parameter: str
    origins: Label
    free: bool = False
    """A worker that may have read the origins fills it itself; no reference in the plan does."""

    @property
    def text(self) -> str:
        """One line for people."""
        way = "filled by a model that may have read" if self.free else "filled from"
        return f"{self.tool}({self.parameter}) steers the call and is {way} {', '.join(sorted(self.origins))}"


class Labels:
    """Labels of everything in one plan.

    Args:
        nodes: The plan's nodes.
        tools: Operations by every name a grant may use.
        untrusted_inputs: Inputs of the run that are not the user's own words.
        untrusted_memory: What nodes recall may hold text of others.
    """

    def __init__(
        self,
        nodes: Mapping[NodeId, Node],
        tools: Mapping[str, tuple[Tool, ...]],
        untrusted_inputs: frozenset[str],
        *,
        untrusted_memory: bool = True,
    ) -> None:
        self._memory = MEMORY if untrusted_memory else TRUSTED
        self._nodes, self._tools, self._inputs = nodes, tools, untrusted_inputs
        self._known: dict[NodeId, Label] = {}
        self._chosen: dict[NodeId, Label] = {}
        """Of what decides which records a tool node's call returns."""

    def output(self, node_id: NodeId) -> Label:
        """Return the label of a node's output, or of a map's element; a node that is not there counts as untrusted."""
        owner = NodeId(node_id.partition("[")[0])
        self._settle([owner])
        return self._known[owner]

    def _settle(self, wanted: Iterable[NodeId]) -> None:
        """Work out labels with those they rest on first, without recursion: a plan may be a chain of thousands."""
        todo, begun = list(wanted), set[NodeId]()
        while todo:
            node_id = todo[-1]
            node = self._nodes.get(node_id)
            if node_id in self._known:
                todo.pop()
            elif node is None:
                self._known[node_id] = frozenset({str(node_id)})
            elif node_id not in begun:
                begun.add(node_id)
                todo += [need for need in _needs(_given(node)) if need not in self._known]
            else:
                self._known[node_id] = self._read(node) | self._made(node)
                self._chosen[node_id] = self._selects(node)

    def read(self, node: Node) -> Label:
        """Return the label of all that a node is given: inputs, goal, list and fixed arguments."""
        node = self._whole(node)
        self._settle(_needs(_given(node)))
        return self._read(node)

    def _read(self, node: Node) -> Label:
        given = self._value(_given(node), node)
        whole = node.code is not None and "inputs" in node.code
        recalled = self._memory if node.recall else TRUSTED
        return given | recalled | (frozenset(f"inputs.{name}" for name in self._inputs) if whole else TRUSTED)

    def value(self, template: Json, node: Node) -> Label:
        """Return the label of a template in a node."""
        node = self._whole(node)
        self._settle(_needs([template, node.map]))
        return self._value(template, node)

    def of_output(self, template: Json) -> Label:
        """Return the label of the run's output, by the plan's template of it."""
        return self.value(template, Node(id=NodeId("")))

    def _whole(self, node: Node) -> Node:
        """Return an element of a map with the list that its item is from; any other node as it is."""
        owner = self._nodes.get(NodeId(node.id.partition("[")[0]))
        return replace(node, map=owner.map) if node.map is None and owner is not None else node

    def _value(self, template: Json, node: Node) -> Label:
        return frozenset[str]().union(*(self._ref(ref, node) for _, ref in find_refs(template)))

    def _made(self, node: Node) -> Label:
        """Return what a node's own tools add; `pure` tools and code only pass on what they are given."""
        names = [str(grant.tool) for grant in node.tools] + ([str(node.tool)] if node.tool else [])
        tools = [tool for name in names for tool in self._tools.get(name, ())]
        return frozenset(str(tool.name) for tool in tools if brings_in(tool))

    def _ref(self, ref: Ref, node: Node) -> Label:
        match ref.root:
            case "inputs":
                return frozenset({f"inputs.{ref.path[0]}"}) if ref.path[0] in self._inputs else TRUSTED
            case "item":
                return self._item(ref, node)
            case "index":
                return TRUSTED
            case "nodes":
                return self._output(ref.node_id or NodeId(""), ref.path)

    def _item(self, ref: Ref, node: Node) -> Label:
        """Return the label of a map's element, or of a part of it: as of any element of the list."""
        over = replace(node, map=None)
        whole = whole_ref(node.map)
        if whole is None or whole.root != "nodes":
            return self._value(node.map, over)
        return self._ref(replace(whole, path=(*whole.path, 0, *ref.path)), over)

    def _output(self, node_id: NodeId, path: tuple[Step, ...]) -> Label:
        """Return the label of what a path into a node's output reaches."""
        target = self._nodes.get(node_id)
        unknown = frozenset({str(node_id)})  # no such node, or references that go round in a circle
        if target is None:
            return self._known.get(node_id, unknown)
        if is_choice(_schema_at(target, path)):
            return TRUSTED
        tools = self._tools.get(target.tool, ()) if target.tool else ()
        within = path[1:] if target.map is not None else path
        if tools and all(made_itself(tool, within) for tool in tools):
            return self._chosen.get(node_id, unknown)
        return self._known.get(node_id, unknown)

    def _selects(self, node: Node) -> Label:
        """Return the label of the arguments that decide which records a tool node's call is about.

        The text of a new record decides nothing; whatever a reading call looks for does.
        """
        tools = self._tools.get(node.tool, ()) if node.tool else ()
        names = {name for tool in tools for name in (tool.controls if tool.effect == "write" else node.inputs)}
        return self._value([node.inputs[name] for name in sorted(names) if name in node.inputs], node)


def _given(node: Node) -> Json:
    """Return everything in a node that may refer to others."""
    return [dict(node.inputs), node.goal, node.map, [dict(grant.args) for grant in node.tools], node.remember]


def _needs(template: Json) -> list[NodeId]:
    return [ref.node_id for _, ref in find_refs(template) if ref.node_id]


def brings_in(tool: Tool) -> bool:
    """Tell whether a tool's results may hold what others wrote."""
    return tool.trust == "untrusted" and tool.effect != "pure"


def made_itself(tool: Tool, path: tuple[Step, ...]) -> bool:
    """Tell whether a tool's owner says that the system behind it makes a field of its results itself."""
    return tool.effect != "pure" and any(covers(field, path) for field in tool.trusted_fields)


def is_choice(schema: Json) -> bool:
    """Tell whether a schema only lets through values that the plan itself wrote down, or true and false.

    An untrusted text can then do no more than a condition could: pick one of them.
    """
    if not isinstance(schema, dict):
        return False
    if "enum" in schema or "const" in schema or schema.get("type") in ("boolean", "null"):
        return True
    properties = schema.get("properties")
    closed = schema.get("type") == "object" and schema.get("additionalProperties") is False
    return closed and isinstance(properties, dict) and all(is_choice(part) for part in properties.values())


def _schema_at(node: Node, path: tuple[Step, ...]) -> Json:
    """Return the schema of what a path reaches, as far as plain `properties` and `items` tell."""
    schema: Json = dict(node.output) if node.output is not None else None
    for step in path[1:] if node.map is not None else path:
        if not isinstance(schema, dict):
            return None
        properties = schema.get("properties")
        if isinstance(step, int) and schema.get("type") == "array":
            schema = schema.get("items")
        else:
            schema = properties.get(str(step)) if isinstance(properties, dict) else None
    return schema


def flows(node: Node, labels: Labels, tools: Mapping[str, tuple[Tool, ...]]) -> Iterator[Flow]:
    """Yield every way in which untrusted values can get into control parameters of what a node calls.

    What a worker chooses counts where the tool writes: one that reads its way on, page by page, is at its work.
    """
    reads = labels.output(node.id)
    calls = [Grant(tool=node.tool, args=node.inputs)] if node.tool else node.tools
    for grant in calls:
        for tool in tools.get(grant.tool, ()):
            for name in sorted(tool.controls):
                free = node.tool is None and name not in grant.args
                origins = reads if free else labels.value(grant.args.get(name), node)
                if origins and (not free or tool.effect == "write"):
                    yield Flow(node_id=node.id, tool=tool.name, parameter=name, origins=origins, free=free)


def flow_findings(
    nodes: Iterable[Node], labels: Labels, tools: Mapping[str, tuple[Tool, ...]], *, granting: AbstractSet[NodeId]
) -> Iterator[Finding]:
    """Yield a warning for every flow: granted by whoever wrote the reference, or to be approved.

    Args:
        nodes: The nodes to look at.
        labels: Labels of the whole plan.
        tools: Operations by every name a grant may use.
        granting: Nodes that a person wrote, and with them the references in their arguments.
    """
    for node in nodes:
        for flow in flows(node, labels, tools):
            granted = node.id in granting and not flow.free
            source = str(flow.tool).partition(".")[0]
            meant = f"if it is only data there, write `data: [{flow.parameter}]` at tools.{source}"
            asked = (
                f"granted by the reference written here; to be asked first, write `approve: true` at this node; {meant}"
            )
            what = asked if granted else f"the call waits for approval; {meant}"
            field = f"with.{flow.parameter}" if node.tool else "tools"
            yield Finding(
                code="untrusted_flow", node_id=node.id, field=field, message=f"{flow.text}; {what}", fatal=False
            )


def closed_value(value: Json) -> JsonObject:
    """Return what a planner may see of an untrusted value: its shape and size, numbers and truth values."""
    if value is None or isinstance(value, bool | int | float):
        return {"untrusted": type(value).__name__, "value": value}
    size = len(json.dumps(value, ensure_ascii=False))
    return {"untrusted": type(value).__name__, "characters": size}


def closed_failure(failed: Failed) -> Failed:
    """Return a failure as closed codes: its kind, and the names of the checks that failed.

    Messages, what was found and where may all hold words of whoever wrote the text that was read.
    """
    evidence = tuple(Evidence(check=item.check, passed=False) for item in failed.evidence if not item.passed)
    output = None if failed.output is None else closed_value(failed.output)
    return Failed(kind=failed.kind, message="", evidence=evidence, output=output, code=failed.code)


def wider(node: Node, before: Iterable[Node], tools: Mapping[str, tuple[Tool, ...]]) -> str:
    """Say what a node may do that none of the nodes before could; empty when nothing."""
    known = [call for other in before for call in _calls(other, tools)]
    for tool, grant in _calls(node, tools):
        same = [old for name, old in known if name.name == tool.name]
        if not same:
            return f"{tool.name} was not granted there"
        if not any(_within(tool, grant, old) for old in same):
            return f"{tool.name} was granted there with other arguments or fewer calls"
    return ""


def _calls(node: Node, tools: Mapping[str, tuple[Tool, ...]]) -> Iterator[tuple[Tool, Grant]]:
    grants = [Grant(tool=node.tool, args=node.inputs, max_calls=1)] if node.tool else node.tools
    for grant in grants:
        for tool in tools.get(grant.tool, ()):
            yield tool, grant


def _within(tool: Tool, new: Grant, old: Grant) -> bool:
    fixed = {name: value for name, value in old.args.items() if name in tool.controls}
    calls = old.max_calls is None or (new.max_calls is not None and new.max_calls <= old.max_calls)
    return calls and all(name in new.args and new.args[name] == value for name, value in fixed.items())
