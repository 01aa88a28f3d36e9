"""Which nodes of a plan start on a cheaper lane, from what past runs took and how late the run may end."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from planloom.configs.spec import WorkflowSpec
from planloom.core.plan import Node, NodeId, Plan
from planloom.graphs.critical_path import timing
from planloom.graphs.history import History, Usual
from planloom.graphs.lanes import Lane, SideLane, assign
from planloom.graphs.lint import dependencies
from planloom.graphs.progress import ladder_of
from planloom.models.prices import Price

_PROMPT_TOKENS, _REPLY_TOKENS = 1000, 500
"""Of a node that never ran."""
_CODE_S = 60.0
"""What code may take where its node says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chooser:
    """Chooses the lanes of one run's plans.

    Args:
        spec: The workflow, whose `route.lanes` names the lanes.
        history: What attempts took before.
        prices: By rung.
        started_at: When the run began, in seconds since the epoch.
    """

    spec: WorkflowSpec
    history: History
    prices: Mapping[str, Price | None]
    started_at: float = 0.0

    def choose(self, plan: Plan, now: float) -> dict[NodeId, SideLane]:
        """Return the lane of each node that has one beside its usual rung; empty while not every time is known.

        With a deadline, a time that is not known is taken to be the longest that the workflow allows.

        Args:
            plan: The plan in force.
            now: Seconds since the epoch.
        """
        lanes: dict[NodeId, tuple[Lane, ...]] = {}
        for node in plan.nodes.values():
            climb, start = ladder_of(node, self.spec.rungs)
            rung = climb[start] if climb else ""
            usual = self.history.usual(node, rung) or self._at_most(node, rung)
            if usual is None:
                return {}  # without its time nobody knows what is critical
            lanes[node.id] = (
                Lane(name=rung, seconds=usual.seconds, cost=usual.cost_usd),
                *self._beside(node, rung, usual),
            )
        deadline = self.spec.route.deadline
        left_s = None if deadline is None else deadline - (now - self.started_at)
        return self._chosen({node.id: dependencies(node) for node in plan.nodes.values()}, lanes, left_s, now)

    def _chosen(
        self,
        deps: Mapping[NodeId, frozenset[NodeId]],
        lanes: Mapping[NodeId, tuple[Lane, ...]],
        left_s: float | None,
        now: float,
    ) -> dict[NodeId, SideLane]:
        chosen = assign(deps, lanes, deadline_s=left_s)
        usual = timing(deps, {node_id: found[0].seconds for node_id, found in lanes.items()})
        ends = timing(deps, {node_id: lane.seconds for node_id, lane in chosen.items()})
        room = max(usual.makespan_s, left_s or 0.0) - ends.makespan_s
        return {
            node_id: SideLane(
                rung=lane.name,
                start_by=now + ends.start[node_id] + ends.slack[node_id] + room if self._timed(lane) else math.inf,
            )
            for node_id, lane in chosen.items()
            if lane is not lanes[node_id][0]
        }

    def _timed(self, lane: Lane) -> bool:
        """Whether a lane is closed to what comes late: its time is a promise there, elsewhere it is a guess."""
        return self.spec.route.deadline is not None or self.spec.models[lane.name].batch is not None

    def _at_most(self, node: Node, rung: str) -> Usual | None:
        """Return the most that a node may take; `None` without a deadline, and where there is no bound."""
        if self.spec.route.deadline is None or node.kind == "panel":
            return None
        if node.kind == "worker":
            model = self.spec.models[rung]
            seconds = node.max_calls * (model.batch.most_s if model.batch else model.timeout)
        elif node.kind == "tool":
            source = self.spec.tools.get((node.tool or "").partition(".")[0])
            seconds = source.timeout if source else _CODE_S
        else:
            seconds = _CODE_S
        price = self.prices.get(rung)
        cost = price.worst(_PROMPT_TOKENS, _REPLY_TOKENS) if price else 0.0
        return Usual(attempts=0, seconds=min(seconds, node.timeout_s or seconds), cost_usd=cost, tokens=0.0)

    def _beside(self, node: Node, rung: str, usual: Usual) -> tuple[Lane, ...]:
        lane = self.spec.route.lanes.get(rung)
        price, less = self.prices.get(rung), self.prices.get(lane.use) if lane else None
        if lane is None or price is None or less is None or node.effect == "write":
            return ()
        batch = self.spec.models[lane.use].batch
        if batch is not None and not _one_call(node, batch.most_s):
            return ()
        # What a batch does not answer in time is asked of the usual rung after it.
        seconds = usual.seconds * lane.slower if batch is None else batch.most_s + usual.seconds
        share = (less.input + less.output) / (price.input + price.output) if price.input + price.output else 1.0
        return (Lane(name=lane.use, seconds=seconds, cost=usual.cost_usd * share),)


def _one_call(node: Node, seconds: float) -> bool:
    """Whether one call can do the node: each further one would wait as long again."""
    plain = node.kind == "worker" and not node.tools and node.agree is None
    return plain and (node.timeout_s is None or node.timeout_s >= seconds)
