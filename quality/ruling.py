"""Ways to decide which answers go up, run over recorded ones."""

from collections.abc import Sequence
from dataclasses import dataclass

from planloom.quality.catalogue import check_texts
from planloom.quality.consensus import Consensus, Vote, effect_of, weigh
from planloom.quality.curve import Case
from planloom.quality.policy import PRIOR_ACCURACY, Group
from planloom.quality.recorded import Recorded
from planloom.quality.score import features, untrained


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruled:
    """What a rule makes of one question."""

    case: Case
    goes_up: bool
    """At the rule's own threshold."""
    cheap: tuple[Recorded, ...]
    """The answers that were paid for before deciding."""


def by_checks(recorded: Sequence[Recorded], threshold: float) -> list[Ruled]:
    """Send up by the strengths that the checks come with.

    Args:
        recorded: Answers to questions of their own.
        threshold: Log-odds below which an answer goes up; one without a flaw has `PRIOR_ACCURACY`.
    """
    scores = [PRIOR_ACCURACY + untrained(check_texts(each.reading).values()) for each in recorded]
    return [
        Ruled(case=_case(-score, each, each.right), goes_up=score < threshold, cheap=(each,))
        for score, each in zip(scores, recorded, strict=True)
    ]


def by_policy(recorded: Sequence[Recorded], group: Group) -> list[Ruled]:
    """Send up by calibrated weights, and at the calibrated threshold."""
    urgencies = [group.urgency(features(each.reading)) for each in recorded]
    return [
        Ruled(case=_case(urgency, each, each.right), goes_up=urgency >= group.threshold, cheap=(each,))
        for urgency, each in zip(urgencies, recorded, strict=True)
    ]


def by_consensus(answers: Sequence[Sequence[Recorded]], threshold: float) -> list[Ruled]:
    """Keep of several answers the one with most agreement and fewest flaws, unless too little speaks for it.

    Args:
        answers: For each question its answers, the one to beat first.
        threshold: Log-odds below which none is kept.
    """
    ruled: list[Ruled] = []
    for group in answers:
        found = consensus_of(group)
        kept = group[found.winner or 0]
        case = _case(-found.log_odds, group[0], kept.right)
        ruled.append(Ruled(case=case, goes_up=found.log_odds < threshold, cheap=tuple(group)))
    return ruled


def consensus_of(answers: Sequence[Recorded]) -> Consensus:
    """Return the consensus of several answers to one question."""
    return weigh(
        [
            Vote(
                effect=effect_of(each.answer),
                log_odds=PRIOR_ACCURACY + untrained(check_texts(each.reading).values()),
            )
            for each in answers
        ]
    )


def _case(urgency: float, asked: Recorded, kept: bool) -> Case:
    return Case(urgency=urgency, kept=kept, strong=bool(asked.strong_right))
