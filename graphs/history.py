"""What nodes took before: seconds, cost and tokens of attempts that passed, by the work itself and the rung."""

from collections.abc import Iterable
from dataclasses import dataclass

from planloom.core.json import digest
from planloom.core.node_view import AttemptView
from planloom.core.plan import Node, NodeId
from planloom.core.view import RunView


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """Means over the attempts that are known."""

    attempts: int
    seconds: float
    cost_usd: float
    tokens: float

    def and_one(self, seconds: float, attempt: AttemptView) -> "Usual":
        """Return the means with one attempt more."""
        count, tokens = self.attempts + 1, attempt.usage.input_tokens + attempt.usage.output_tokens
        return Usual(
            attempts=count,
            seconds=self.seconds + (seconds - self.seconds) / count,
            cost_usd=self.cost_usd + (attempt.cost_usd - self.cost_usd) / count,
            tokens=self.tokens + (tokens - self.tokens) / count,
        )


_NONE = Usual(attempts=0, seconds=0.0, cost_usd=0.0, tokens=0.0)


class History:
    """What past runs tell.

    Args:
        runs: Past runs, in any order.
    """

    def __init__(self, runs: Iterable[RunView] = ()) -> None:
        self._known: dict[tuple[str, str], Usual] = {}
        for view in runs:
            self._learn(view)

    def _learn(self, view: RunView) -> None:
        for node_id, found in view.nodes.items():
            node = view.plan.nodes.get(NodeId(node_id.partition("[")[0])) if view.plan else None
            if node is None:
                continue
            for attempt in found.attempts:
                if attempt.ended_at is None or attempt.failed is not None:
                    continue
                for key in (signature(node), _sort(node)):
                    before = self._known.get((key, attempt.rung), _NONE)
                    self._known[key, attempt.rung] = before.and_one(attempt.ended_at - attempt.started_at, attempt)

    def usual(self, node: Node, rung: str) -> Usual | None:
        """Return what an attempt takes: by the very same work, else by work of its sort; `None` if neither is known.

        Args:
            node: The node, or a map, of which one element is meant.
            rung: Name of the rung; empty for nodes that ask no model.
        """
        return self._known.get((signature(node), rung)) or self._known.get((_sort(node), rung))


def signature(node: Node) -> str:
    """Return what makes it the same work in another run, whatever its inputs are there."""
    return digest([node.kind, node.goal, node.tool, node.code, sorted(node.inputs)])


def _sort(node: Node) -> str:
    return f"{node.kind} {node.tool or ''}"
