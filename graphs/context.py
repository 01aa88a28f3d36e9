"""Everything one run needs, gathered once: no module state, no hidden lookups."""

import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from planloom.configs.load import Workflow
from planloom.configs.spec import WorkflowSpec
from planloom.core.json import Json, JsonObject
from planloom.core.plan import Node, NodeId, Plan, ToolName
from planloom.core.view import RunView
from planloom.graphs.desk import RunDesk
from planloom.graphs.experience import Experience
from planloom.graphs.lanes import SideLane
from planloom.graphs.lint import Facts
from planloom.graphs.slots import Slots
from planloom.graphs.taint import Labels
from planloom.models.gateway import Rung
from planloom.quality.policy import Policy
from planloom.state.ledger import Amount, Caps, Ledger
from planloom.state.log import RunLog
from planloom.state.memories import Memories
from planloom.tools.base import Tool
from planloom.tools.sandbox import Sandbox
from planloom.tools.toolbox import Toolbox


class Outputs(Mapping[NodeId, Json]):
    """Committed outputs by node, read where they are; a skipped node reads as null."""

    def __init__(self, view: RunView) -> None:
        self._nodes = view.nodes

    def __getitem__(self, node_id: NodeId) -> Json:
        view = self._nodes[node_id]
        if view.state not in ("done", "skipped"):
            raise KeyError(node_id)
        return view.output

    def __iter__(self) -> Iterator[NodeId]:
        return (node_id for node_id, view in self._nodes.items() if view.state in ("done", "skipped"))

    def __len__(self) -> int:
        return sum(1 for _ in self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run's parts."""

    workflow: Workflow
    inputs: JsonObject
    log: RunLog
    ledger: Ledger
    node_ledgers: dict[NodeId, Ledger]
    toolbox: Toolbox
    sandbox: Sandbox
    rungs: Mapping[str, Rung]
    slots: Slots
    desk: RunDesk
    facts: Facts
    load: Callable[[str], Callable[..., object]]
    """Finds the Python function a `ref` check names."""
    policy: Policy | None = None
    """What sends answers up that passed their checks; `None` where the workflow names none."""
    memories: Memories | None = None
    """What earlier runs remembered; `None` where the workflow has no memory."""
    experience: Experience | None = None
    """What past runs say of each rung; `None` where the workflow does not ask for it."""
    known_labels: dict[int, Labels] = field(default_factory=dict[int, Labels])
    """Labels by plan version, worked out once."""
    choose_lanes: Callable[[Plan, float], Mapping[NodeId, SideLane]] | None = None
    """Picks the nodes of a plan that start on a lane beside their usual rung; `None` where there are none."""
    known_lanes: dict[int, Mapping[NodeId, SideLane]] = field(default_factory=dict[int, Mapping[NodeId, SideLane]])
    """The same by plan version, worked out once."""

    @property
    def spec(self) -> WorkflowSpec:
        """The workflow's spec."""
        return self.workflow.spec

    @property
    def view(self) -> RunView:
        """The run as its events tell it."""
        return self.log.view

    @property
    def replans_left(self) -> int:
        """Replans that may still be asked for; 0 where nobody plans."""
        plans = self.spec.auto or self.spec.planner.model is not None
        return max(0, self.spec.route.replan - self.view.replans) if plans else 0

    @property
    def plan_unapproved(self) -> bool:
        """Whether the plan in force needs an approval that it does not have."""
        plan = self.view.plan
        if plan is None or self.spec.planner.approve != "plan":
            return False
        given = self.view.approvals.get((None, plan.digest))
        return given is None or not given.approved

    @property
    def labels(self) -> Labels:
        """What is untrusted in the plan in force, or in what is known of it while it is being written."""
        plan = self.view.plan
        if plan is None:
            return self._labels_of(self.view.provisional)
        if plan.version not in self.known_labels:
            self.known_labels[plan.version] = self._labels_of(plan.nodes)
        return self.known_labels[plan.version]

    def _labels_of(self, nodes: Mapping[NodeId, Node]) -> Labels:
        facts = self.facts
        return Labels(nodes, facts.tools, facts.untrusted_inputs, untrusted_memory=facts.untrusted_memory)

    def lane_of(self, node_id: NodeId) -> str | None:
        """Return the rung beside its usual one on which a node, or a map's element, starts; `None` for most.

        Work that has begun stays where it began.
        """
        plan, past = self.view.plan, self.view.nodes.get(node_id)
        if plan is None or self.choose_lanes is None:
            return None
        if past is not None and past.attempts:
            began = past.attempts[0].rung
            return began if any(lane.use == began for lane in self.spec.route.lanes.values()) else None
        if plan.version not in self.known_lanes:
            self.known_lanes[plan.version] = self.choose_lanes(plan, time.time())
        lane = self.known_lanes[plan.version].get(NodeId(node_id.partition("[")[0]))
        return lane.rung if lane is not None and time.time() <= lane.start_by else None

    def once_only(self, node_id: NodeId, rung: str) -> bool:
        """Whether a node is on a lane whose time is that of one call: a batch for which there is slack."""
        return rung in self.rungs and self.rungs[rung].batch and self.lane_of(node_id) == rung

    @asynccontextmanager
    async def place_for(self, rung: str) -> AsyncGenerator[None]:
        """Hold a place for an attempt; one that waits in a batch needs none."""
        if rung in self.rungs and self.rungs[rung].batch:
            yield
            return
        async with self.slots.take():
            yield

    def written_by_hand(self, node: Node) -> bool:
        """Whether a person wrote this very node, and with it the references in its arguments."""
        owner = NodeId(node.id.partition("[")[0])
        written = self.spec.nodes.get(owner)
        planned = self.view.plan.nodes.get(owner) if self.view.plan else None
        if written is None or planned is None or owner in self.facts.by_planner:
            return False
        mine = written.to_node(owner)
        return (mine.inputs, mine.tools, mine.tool, mine.map) == (
            planned.inputs,
            planned.tools,
            planned.tool,
            planned.map,
        )

    def writing_tools(self, node: Node) -> list[Tool]:
        """Return the tools by which a node can write."""
        names = [grant.tool for grant in node.tools] + ([node.tool] if node.tool else [])
        return [tool for name in names for tool in self.toolbox.expand(name) if tool.effect == "write"]

    def writes_unseen(self, node: Node) -> bool:
        """Whether a node says that it writes, but no tool of its will write the intent down."""
        return node.effect == "write" and not self.writing_tools(node)

    def in_doubt(self, node: Node, attempt: int) -> bool:
        """Whether an attempt may have written something that another attempt could write twice.

        A write that is done is in doubt for a worker only: it may write something else the next time, where a
        `tool` node makes the same call and gets the result that is known.
        """
        tools = self.toolbox.tools
        return any(
            effect.uncertain or (effect.outcome == "done" and node.kind == "worker")
            for effect in self.view.effects_of(node.id).values()
            if effect.attempt == attempt and not ((tool := tools.get(ToolName(effect.tool))) and tool.repeatable)
        )

    def ledger_of(self, node_id: NodeId | None, max_cost_usd: float | None) -> Ledger:
        """Return the account a node's calls go to: its own under the run's, when it has a cap of its own.

        The elements of a map share the map's.
        """
        if node_id is None or max_cost_usd is None:
            return self.ledger
        if node_id not in self.node_ledgers:
            booked = (node for i, node in self.view.nodes.items() if i.partition("[")[0] == node_id)
            spent = Amount(usd=sum(node.cost_usd for node in booked), calls=0)
            self.node_ledgers[node_id] = Ledger(Caps(usd=max_cost_usd), parent=self.ledger, spent=spent)
        return self.node_ledgers[node_id]


def check_refs(spec: WorkflowSpec) -> Iterator[tuple[str, str]]:
    """Yield the Python functions that checks name, each with its field."""
    for node_id, node in spec.nodes.items():
        for index, check in enumerate(node.checks):
            if check.ref is not None:
                yield check.ref, f"nodes.{node_id}.checks[{index}].ref"


def sandboxed(spec: WorkflowSpec) -> Iterator[tuple[str, str]]:
    """Yield the code that nodes and checks bring along for the sandbox, each with its field."""
    for node_id, node in spec.nodes.items():
        if node.code is not None:
            yield node.code, f"nodes.{node_id}.code"
        for index, check in enumerate(node.checks):
            if check.code is not None:
                yield check.code, f"nodes.{node_id}.checks[{index}].code"


def facts_of(workflow: Workflow, toolbox: Toolbox, *, by_hand: bool) -> Facts:
    """Return what a plan of this workflow may refer to."""
    spec = workflow.spec
    names = {str(name) for name in toolbox.tools} | set(spec.tools) | {str(n).split(".")[0] for n in toolbox.tools}
    return Facts(
        inputs=frozenset(spec.inputs),
        tools={name: tools for name in names if (tools := toolbox.expand(name))},
        rungs=frozenset(name for name, rung in spec.models.items() if rung.api != "embeddings"),
        max_nodes=10_000 if by_hand else spec.planner.max_nodes,
        by_hand=by_hand,
        refs=frozenset(ref for ref, _ in check_refs(spec)),
        by_planner=frozenset(map(NodeId, spec.promoted.by_planner if spec.promoted else ())),
        untrusted_inputs=frozenset(name for name, given in spec.inputs.items() if given.trust == "untrusted"),
        hold_writes=spec.planner.approve != "never",
        memory=spec.memory is not None,
        panels=spec.planner.panels or any(node.panel for node in spec.nodes.values()),
        untrusted_memory=spec.memory is not None and spec.memory.untrusted == "workers",
    )
