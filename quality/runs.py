"""Attempts of a run as recorded answers: what the other checks of the node said of each is taken as the truth."""

from collections.abc import Iterator, Sequence

from planloom.core.node_view import AttemptView, NodeView
from planloom.core.outcome import Evidence, FailureKind
from planloom.core.refs import as_text
from planloom.core.view import RunView
from planloom.quality.recorded import Recorded

_TEXT = "text: "
_JUDGED = (FailureKind.CHECK,)


def recorded_in(view: RunView) -> list[Recorded]:
    """Return the answers of a run's model nodes that a check other than those on text has judged.

    An answer that no such check looked at is left out: whether it was right is not known.
    """
    return [each for node in view.nodes.values() for each in _of_node(view, node)]


def _of_node(view: RunView, node: NodeView) -> Iterator[Recorded]:
    asked = [attempt for attempt in node.attempts if attempt.rung and attempt.ended_at is not None]
    verdicts = [(attempt, _right(attempt)) for attempt in asked]
    for place, (attempt, right) in enumerate(verdicts):
        answer = _answer(node, attempt)
        if right is None or not answer:
            continue
        higher = [(other, known) for other, known in verdicts[place + 1 :] if other.rung != attempt.rung]
        stronger, strong_right = higher[0] if higher else (None, None)
        yield Recorded(
            question_id=f"{view.name}/{node.id}/{node.input_digest or view.run_id}",
            question=node.goal,
            answer=answer,
            right=right,
            strong_right=strong_right,
            model=attempt.model or attempt.rung,
            strong_model=(stronger.model or stronger.rung) if stronger else "",
            kind=node.id.partition("[")[0],
            sample=attempt.attempt,
            first=place == 0,
            cost_usd=attempt.cost_usd,
            strong_cost_usd=stronger.cost_usd if stronger else None,
        )


def _right(attempt: AttemptView) -> bool | None:
    failed = attempt.failed
    if failed is not None and failed.kind not in _JUDGED:
        return None
    judged = _judged(failed.evidence if failed else attempt.evidence)
    return all(evidence.passed for evidence in judged) if judged else None


def _judged(evidence: Sequence[Evidence]) -> list[Evidence]:
    return [each for each in evidence if not each.check.startswith(_TEXT)]


def _answer(node: NodeView, attempt: AttemptView) -> str:
    output = attempt.failed.output if attempt.failed else node.output
    return "" if output is None else as_text(output)
