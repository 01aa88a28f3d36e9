"""What the nodes of a workflow took in past runs: from first attempt to last, on whichever rung each ended."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from planloom.core.node_view import AttemptView, NodeView
from planloom.core.plan import Node, NodeId
from planloom.core.view import RunView
from planloom.graphs.history import signature

Which: TypeAlias = Literal["low", "mean", "high"]
WHICH: tuple[Which, ...] = ("low", "mean", "high")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The least, the mean and the most of what was seen."""

    low: float
    mean: float
    high: float

    def at(self, which: Which) -> float:
        """Return one of the three."""
        return {"low": self.low, "mean": self.mean, "high": self.high}[which]

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Return that of at least one value."""
        return cls(low=min(values), mean=sum(values) / len(values), high=max(values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """What one kind of work took, in each run that did it."""

    runs: int
    seconds: Spread
    usd: Spread
    tokens: Spread
    passed: Mapping[str, tuple[int, int]]
    """By rung: how many attempts passed, of how many."""


@dataclass(frozen=True, slots=True)
class _Once:
    seconds: float
    usd: float
    tokens: int


class Past:
    """What past runs tell of a workflow. Rehearsed runs count only where there are no others.

    Args:
        runs: Past runs of one name and tenant, in any order.
    """

    def __init__(self, runs: Iterable[RunView] = ()) -> None:
        known = [view for view in runs if view.plan is not None]
        real = [view for view in known if not view.rehearsal]
        self.rehearsed = bool(known) and not real
        """No model took any of this time or money."""
        self._once: dict[str, list[_Once]] = {}
        self._passed: dict[str, Counter[str]] = {}
        self._tried: dict[str, Counter[str]] = {}
        done = [view for view in real or known if view.status == "done"]
        for view in real or known:
            self._learn(view)
        self.runs = len(done)
        """Runs that are done."""
        self.usd = Spread.of([view.cost_usd for view in done]) if done else None
        self.seconds = Spread.of([view.active_s for view in done]) if done else None

    def _learn(self, view: RunView) -> None:
        for node_id, node in (view.plan.nodes if view.plan else dict[NodeId, Node]()).items():
            parts = [part for i, part in view.nodes.items() if i.partition("[")[0] == node_id]
            key, ended = signature(node), [a for part in parts for a in _ended(part)]
            for attempt in ended:
                self._tried.setdefault(key, Counter())[attempt.rung] += 1
                self._passed.setdefault(key, Counter())[attempt.rung] += attempt.failed is None
            if ended and node_id in view.nodes and view.nodes[node_id].state == "done":
                self._once.setdefault(key, []).append(_once(ended, mapped=node.map is not None))

    def of(self, node: Node) -> Took | None:
        """Return what the very same work took, whatever its inputs were; `None` if no run did it to its end."""
        key = signature(node)
        found, tried = self._once.get(key), self._tried.get(key)
        if not found or not tried:
            return None
        return Took(
            runs=len(found),
            seconds=Spread.of([once.seconds for once in found]),
            usd=Spread.of([once.usd for once in found]),
            tokens=Spread.of([once.tokens for once in found]),
            passed={rung: (self._passed[key][rung], count) for rung, count in tried.items() if rung},
        )


def _ended(part: NodeView) -> Iterator[AttemptView]:
    return (attempt for attempt in part.attempts if attempt.ended_at is not None and not attempt.cut_off)


def _once(ended: Sequence[AttemptView], *, mapped: bool) -> _Once:
    """Sum the attempts up; elements of a map run side by side, so what counts there is from first to last."""
    spans = [(attempt.started_at, attempt.ended_at or attempt.started_at) for attempt in ended]
    span = max(end for _, end in spans) - min(start for start, _ in spans)
    return _Once(
        seconds=span if mapped else sum(end - start for start, end in spans),
        usd=sum(attempt.cost_usd for attempt in ended),
        tokens=sum(attempt.usage.tokens for attempt in ended),
    )
