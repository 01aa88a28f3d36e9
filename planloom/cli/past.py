"""What the journal has of past runs of a workflow, and how `explain` says it."""

from collections.abc import Iterator, Mapping

from planloom.cli.journals import journal_at, nothing_yet
from planloom.cli.order import Edges
from planloom.cli.words import plural, seconds, usd_range
from planloom.core.json import Json, JsonObject
from planloom.core.plan import Node, NodeId, Plan
from planloom.graphs.critical_path import timing
from planloom.graphs.past import WHICH, Past, Spread, Took, Which


async def past_of(name: str, journal: str | None) -> Past:
    """Read the newest runs of a workflow; nothing is known where no journal is.

    Raises:
        JournalError: The journal cannot be read.
    """
    if nothing_yet(journal):
        return Past()
    async with journal_at(journal) as opened:
        return Past(await opened.past_runs(name, tenant=""))


class Told:
    """What past runs say of one plan.

    Args:
        past: The runs.
        plan: The plan; `None` where a planner will write it.
        edges: What its nodes need.
    """

    def __init__(self, past: Past, plan: Plan | None = None, edges: Edges | None = None) -> None:
        self.past = past
        self._edges: Edges = edges if edges is not None else {}
        nodes = plan.nodes if plan is not None else dict[NodeId, Node]()
        self.took: Mapping[NodeId, Took] = {i: took for i, node in nodes.items() if (took := past.of(node)) is not None}
        self.untold = [node_id for node_id in nodes if node_id not in self.took]

    def time(self, node_id: NodeId) -> str:
        """Return how long a node took, and in how many runs; empty if no run tells."""
        took = self.took.get(node_id)
        return f"{_between(took.seconds)} ({took.runs})" if took else ""

    def passed(self, node_id: NodeId) -> str:
        """Return how many attempts passed on each rung: `mini 3/4, big 1/1`."""
        took = self.took.get(node_id)
        return ", ".join(f"{rung} {ok}/{all_}" for rung, (ok, all_) in took.passed.items()) if took else ""

    def lines(self) -> Iterator[tuple[str, str]]:
        """Yield what is said below the table: the critical path in seconds, and what it all rests on."""
        if self.took and not self.untold:
            low, mean, high = self._timed("low"), self._timed("mean"), self._timed("high")
            path = " → ".join(mean[0])
            yield (
                "critical",
                f"{path}  (about {seconds(mean[1])}, {_between(Spread(low=low[1], mean=0, high=high[1]))})",
            )
        elif self.took:
            yield "time", f"no run tells how long {', '.join(self.untold)} will take, so not what is critical"
        if self.past.runs and self.past.usd is not None and self.past.seconds is not None:
            cost = usd_range(self.past.usd.low, self.past.usd.high)
            rehearsed = "; all of them rehearsals: no model took this time or money" if self.past.rehearsed else ""
            took = _between(self.past.seconds)
            yield "past", f"{plural(self.past.runs, 'run')} done: {cost} and {took} each, planning included{rehearsed}"

    def _timed(self, which: Which) -> tuple[list[str], float]:
        chosen = {node_id: took.seconds.at(which) for node_id, took in self.took.items()}
        shape = timing(self._edges, chosen)
        return [str(node_id) for node_id in shape.path], shape.makespan_s

    def as_json(self) -> JsonObject:
        """Return the same as data."""
        nodes: JsonObject = {node_id: _json(took) for node_id, took in self.took.items()}
        known = bool(self.took) and not self.untold
        path: list[Json] = [*self._timed("mean")[0]] if known else []
        times: JsonObject = {which: self._timed(which)[1] for which in WHICH} if known else {}
        return {
            "runs": self.past.runs,
            "rehearsed": self.past.rehearsed,
            "nodes": nodes,
            "critical": path,
            "seconds": times or None,
        }


def _json(took: Took) -> JsonObject:
    passed: JsonObject = {rung: [ok, tried] for rung, (ok, tried) in took.passed.items()}
    spreads: JsonObject = {"seconds": _spread(took.seconds), "usd": _spread(took.usd), "tokens": _spread(took.tokens)}
    return {"runs": took.runs, **spreads, "passed": passed}


def _spread(spread: Spread) -> JsonObject:
    return {which: spread.at(which) for which in WHICH}


def _between(spread: Spread) -> str:
    low, high = seconds(spread.low), seconds(spread.high)
    return high if low == high else f"{low} to {high}"
