"""Independent samples compared by what they come to: equal JSON values or equal answers, never prose."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass

from planloom.core.check import Agree
from planloom.core.json import Json
from planloom.core.outcome import Done, Evidence, Failed, FailureKind, Outcome
from planloom.core.refs import RefError, read_path, walk
from planloom.quality.consensus import answer_effect, draws, json_effect, settled


async def sample_until_agreed(
    agree: Agree, draw: Callable[[int], Coroutine[None, None, Outcome]], known: Mapping[int, Outcome] | None = None
) -> Outcome:
    """Draw samples until enough of them are equal, or no longer can be.

    Only as many are drawn at once as it takes at least to settle it: three of three that agree at once cost three.

    Args:
        agree: What must be equal, and how often.
        draw: Makes the sample of that number, from 0.
        known: Samples that were drawn before, by number.
    """
    samples = dict(known or {})
    while True:
        poll = _Poll.of(agree, samples)
        if poll.settled or poll.lost or poll.stopped is not None:
            return poll.close()
        numbers = [number for number in range(agree.samples) if number not in samples][: poll.wave]
        async with asyncio.TaskGroup() as group:
            tasks = {number: group.create_task(draw(number)) for number in numbers}
        samples |= {number: task.result() for number, task in tasks.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Poll:
    """How a vote stands."""

    agree: Agree
    outcomes: tuple[Outcome, ...]
    votes: Counter[str]

    @classmethod
    def of(cls, agree: Agree, samples: Mapping[int, Outcome]) -> "_Poll":
        outcomes = tuple(samples[number] for number in sorted(samples))
        keys = (_key(outcome.output, agree) for outcome in outcomes if isinstance(outcome, Done))
        return cls(agree=agree, outcomes=outcomes, votes=Counter(key for key in keys if key is not None))

    @property
    def _lead(self) -> tuple[int, int, int]:
        """Votes of the first and the second effect, and samples that are left."""
        (_, first), (_, second) = (*self.votes.most_common(2), ("", 0), ("", 0))[:2]
        return first, second, self.agree.samples - len(self.outcomes)

    @property
    def settled(self) -> bool:
        return settled(*self._lead, quorum=self.agree.quorum, confidence=self.agree.confidence)

    @property
    def lost(self) -> bool:
        """Whether no effect can come to the quorum any more."""
        first, _, left = self._lead
        return left == 0 or first + left < self.agree.quorum

    @property
    def wave(self) -> int:
        return draws(*self._lead, quorum=self.agree.quorum, confidence=self.agree.confidence)

    @property
    def stopped(self) -> Failed | None:
        """The budget's word, after which no further sample can be had."""
        spent = (o for o in self.outcomes if isinstance(o, Failed) and o.kind is FailureKind.BUDGET)
        return next(spent, None)

    def close(self) -> Outcome:
        evidence = self._evidence()
        if self.settled:
            return self._elected(evidence)
        failures = [outcome for outcome in self.outcomes if isinstance(outcome, Failed)]
        if self.stopped is not None:
            message, kind = f"{self.stopped.message}; samples so far: {evidence.found}", FailureKind.BUDGET
            return Failed(kind=kind, message=message, evidence=(evidence,))
        if failures and not self.votes:
            return failures[-1]
        return Failed(kind=FailureKind.DISAGREE, message=f"samples disagree: {evidence.found}", evidence=(evidence,))

    def _elected(self, evidence: Evidence) -> Done:
        leader = self.votes.most_common(1)[0][0]
        done = (outcome for outcome in self.outcomes if isinstance(outcome, Done))
        chosen = next(outcome for outcome in done if _key(outcome.output, self.agree) == leader)
        return Done(output=chosen.output, evidence=(*chosen.evidence, evidence))

    def _evidence(self) -> Evidence:
        agree = self.agree
        found = [f"{count} x {key[:120]}" for key, count in self.votes.most_common(5)]
        void = len(self.outcomes) - sum(self.votes.values())
        if found and void:
            found.append(f"{void} without a valid result")
        sure = f", ahead with {agree.confidence:.0%}" if agree.confidence else ""
        return Evidence(
            check="agree",
            passed=self.settled,
            expected=f"{agree.quorum} of at most {agree.samples} samples equal{sure}",
            found="; ".join(found) or "no valid sample",
            where=agree.path,
        )


def _key(output: Json, agree: Agree) -> str | None:
    try:
        value = walk(output, read_path(agree.path), agree.path)
    except (RefError, ValueError):
        return None
    return json_effect(value) if agree.compare == "value" else answer_effect(value)
