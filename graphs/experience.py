"""What past runs say of each rung, for the runs of one workflow: read when a run begins, added to when it ends."""

import time
from collections.abc import Iterator, Mapping, Sequence

from planloom.core.node_view import AttemptView
from planloom.core.outcome import FailureKind
from planloom.core.plan import Node, NodeId
from planloom.core.view import RunView
from planloom.core.visit import Visit, VisitKey
from planloom.graphs.first_rung import Offer, explores, first_rung, signature
from planloom.models.gateway import Rung
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


class Experience:
    """What is known of the rungs, the same all through a run.

    Args:
        visits: Where it is kept.
        known: Visits by the kind of work, as they were when the run began.
        offers: The rungs as they are now, by name.
    """

    def __init__(self, visits: Visits, known: Mapping[str, Sequence[Visit]], offers: Mapping[str, Offer]) -> None:
        self._visits, self._known, self._offers = visits, known, offers

    def start(self, node: Node, rungs: Sequence[str], start: int, run_id: str) -> int:
        """Return the rung on which a node starts, where it would start on `start` without experience.

        A rung that a person named for it stays.
        """
        known = self._known.get(signature(node))
        if not known or node.model is not None or explores(run_id, node.id):
            return start
        return first_rung([self._offers[name] for name in rungs], start, known, time.time())

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
            if node is not None and node.kind == "worker"
            for work, visit in self._made(seen.attempts)
        ]
        await self._visits.note(made)

    def _made(self, attempts: Sequence[AttemptView]) -> Iterator[tuple[str, Visit]]:
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
                        served=made[-1].model,
                        ok=ok,
                        cost_usd=sum(attempt.cost_usd for attempt in made),
                        at=made[-1].ended_at or made[-1].started_at,
                    ),
                )


async def experience_of(visits: Visits, rungs: Mapping[str, Rung]) -> Experience:
    """Return what past runs say of the rungs.

    Raises:
        JournalError: It could not be read.
    """
    offers = {
        name: Offer(name=name, model=rung.model, price=rung.price.input + rung.price.output if rung.price else 0.0)
        for name, rung in rungs.items()
    }
    return Experience(visits, await visits.read(), offers)
