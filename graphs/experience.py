"""What past runs say of each rung, for the runs of one workflow: read when a run begins, added to when it ends."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from planloom.core.node_view import AttemptView
from planloom.core.outcome import FailureKind
from planloom.core.plan import Effort, Node, NodeId
from planloom.core.view import RunView
from planloom.core.visit import Visit, VisitKey
from planloom.graphs.first_rung import Offer, alike, chance, corrected, explores, first_rung, signature, tells
from planloom.models.prices import Price
from planloom.state.visits import Visits

_OF_THE_MODEL = frozenset(
    {
        FailureKind.UNPARSEABLE,
        FailureKind.SCHEMA,
        FailureKind.CHECK,
        FailureKind.DISAGREE,
        FailureKind.REFUSAL,
        FailureKind.LENGTH,
    }
)
"""Failures that say something of the model; a provider that is down, say, is none."""


@dataclass(frozen=True, slots=True)
class Start:
    """On which rung of its ladder a node starts, and what past runs say of it."""

    rung: int
    reason: str


class Experience:
    """What is known of the rungs, the same all through a run.

    Args:
        visits: Where it is kept.
        known: Visits by the kind of work, as they were when the run began.
        offers: The rungs as they are now, by name.
    """

    def __init__(self, visits: Visits, known: Mapping[str, Sequence[Visit]], offers: Mapping[str, Offer]) -> None:
        self._visits, self._known, self._offers = visits, known, offers

    def start(self, node: Node, rungs: Sequence[str], start: int, run_id: str | None = None) -> Start | None:
        """Return where a node starts by what is known of its kind of work; `None` where nothing is.

        A rung that a person named for it stays.

        Args:
            node: A node that asks models.
            rungs: Its ladder.
            start: Index of the rung where it would start without experience.
            run_id: The run; `None` is none in particular, which never starts as if nothing were known.
        """
        known = self._known.get(signature(node))
        if not known or node.model is not None:
            return None
        ladder, now = [self._offers[name] for name in rungs], time.time()
        told = alike(ladder, known)
        if not told:
            return None
        if run_id is not None and explores(run_id, node.id):
            return Start(start, f"one start in twenty ignores past runs; {told}")
        effort = self.effort(node, rungs[0], run_id)
        if effort != node.effort:
            told = f"effort {node.effort} counts as {effort}; {told}"
        priced = all(offer.price > 0 for offer in ladder)
        lowest = 0 if priced and tells(ladder[0], known, now) else start  # costs say more than a word about the effort
        return Start(first_rung(ladder, lowest, known, now), told)

    def chance(self, node: Node, rung: str) -> float | None:
        """Return how likely work of this kind ends well on a rung; `None` where it was never there."""
        visits = [visit for visit in self._known.get(signature(node), ()) if visit.rung == rung]
        return chance(self._offers[rung], visits, time.time()) if visits and rung in self._offers else None

    def effort(self, node: Node, first: str, run_id: str | None) -> Effort:
        """Return how hard a worker's node is, by how such work went on the first rung of the ladder."""
        known = self._known.get(signature(node))
        ignored = run_id is not None and explores(run_id, node.id)
        if not known or node.kind != "worker" or first not in self._offers or ignored:
            return node.effort
        return corrected(node.effort, self._offers[first], known, time.time())

    async def learn(self, view: RunView) -> None:
        """Keep how a run went on each rung; once, however often it is told.

        Raises:
            JournalError: It could not be written.
        """
        nodes = view.plan.nodes if view.plan else dict[NodeId, Node]()
        owned = ((node, nodes.get(NodeId(node_id.partition("[")[0]))) for node_id, node in view.nodes.items())
        made = [
            (VisitKey(run_id=view.run_id, node_id=seen.id, input_digest=work, signature=signature(node)), visit)
            for seen, node in owned
            if node is not None and node.kind in ("worker", "panel")
            for work, visit in self._made(seen.attempts, mixed=node.kind == "panel")
        ]
        await self._visits.note(made)

    def _made(self, attempts: Sequence[AttemptView], *, mixed: bool) -> Iterator[tuple[str, Visit]]:
        """Yield the visits that a node's attempts make up; `mixed` ones may ask several models each."""
        by_rung: dict[tuple[str, str], list[AttemptView]] = {}
        for attempt in attempts:
            by_rung.setdefault((attempt.input_digest, attempt.rung), []).append(attempt)
        for (work, rung), made in by_rung.items():
            ok = any(attempt.ended_at is not None and attempt.failed is None for attempt in made)
            failed = made[-1].failed
            if rung in self._offers and (ok or (failed is not None and failed.kind in _OF_THE_MODEL)):
                yield (
                    work,
                    Visit(
                        rung=rung,
                        model=self._offers[rung].model,
                        served="" if mixed else made[-1].model,
                        ok=ok,
                        cost_usd=sum(attempt.cost_usd for attempt in made),
                        at=made[-1].ended_at or made[-1].started_at,
                    ),
                )


async def experience_of(visits: Visits, models: Mapping[str, tuple[str, Price | None]]) -> Experience:
    """Return what past runs say of the rungs.

    Args:
        visits: Where it is kept.
        models: What each rung asks now, as the workflow names it to the provider, and its price.

    Raises:
        JournalError: It could not be read.
    """
    offers = {
        name: Offer(name=name, model=model, price=price.input + price.output if price else 0.0)
        for name, (model, price) in models.items()
    }
    return Experience(visits, await visits.read(), offers)
