"""Independent samples compared on a canonical form: equal JSON values, never prose."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

from planloom.core.check import Agree
from planloom.core.json import Json, canonical
from planloom.core.outcome import Done, Evidence, Failed, FailureKind, Outcome
from planloom.core.refs import RefError, read_path, walk


async def sample_until_agreed(agree: Agree, draw: Callable[[], Awaitable[Outcome]]) -> Outcome:
    """Draw samples until `quorum` of them are equal, or no longer can be.

    Only as many are drawn at once as could settle it: three of three that agree at once cost three.
    """
    outcomes: list[Outcome] = []
    while True:
        votes = _tally(outcomes, agree.path)
        leader, count = votes.most_common(1)[0] if votes else ("", 0)
        if count >= agree.quorum:
            return _elect(outcomes, leader, votes, agree)
        missing = agree.quorum - count
        if missing > agree.samples - len(outcomes):
            return _disagreement(outcomes, votes, agree)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_draw(draw)) for _ in range(missing)]
        outcomes += [task.result() for task in tasks]


async def _draw(draw: Callable[[], Awaitable[Outcome]]) -> Outcome:
    return await draw()


def _key(output: Json, path: str) -> str:
    try:
        return canonical(walk(output, read_path(path), path))
    except (RefError, ValueError):
        return ""


def _tally(outcomes: list[Outcome], path: str) -> Counter[str]:
    keys = (_key(outcome.output, path) for outcome in outcomes if isinstance(outcome, Done))
    return Counter(key for key in keys if key)


def _evidence(votes: Counter[str], agree: Agree, *, passed: bool) -> Evidence:
    found = "; ".join(f"{count} x {key[:120]}" for key, count in votes.most_common(5)) or "no valid sample"
    expected = f"{agree.quorum} of at most {agree.samples} samples equal"
    return Evidence(check="agree", passed=passed, expected=expected, found=found, where=agree.path)


def _elect(outcomes: list[Outcome], leader: str, votes: Counter[str], agree: Agree) -> Outcome:
    chosen = next(o for o in outcomes if isinstance(o, Done) and _key(o.output, agree.path) == leader)
    return Done(output=chosen.output, evidence=(*chosen.evidence, _evidence(votes, agree, passed=True)))


def _disagreement(outcomes: list[Outcome], votes: Counter[str], agree: Agree) -> Outcome:
    failures = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    if failures and not votes:
        return failures[-1]
    evidence = _evidence(votes, agree, passed=False)
    return Failed(kind=FailureKind.DISAGREE, message=f"samples disagree: {evidence.found}", evidence=(evidence,))
