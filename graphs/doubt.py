"""Doubt: an answer that passed its checks, though a calibrated policy gives it too small a chance."""

from collections.abc import Sequence
from dataclasses import replace

from planloom.core.outcome import Done, Evidence, Failed, FailureKind, Outcome
from planloom.quality.policy import Policy, judge
from planloom.quality.reading import Reading


def weighed(policy: Policy, reading: Reading, done: Done, *, kind: str, models: Sequence[str]) -> Outcome:
    """Return an answer with its chance as evidence, or the failure that sends it up.

    Args:
        policy: The first group that fits decides; where none does, the answer is kept.
        reading: The answer as the checks on text see it.
        done: The answer, with what its checks said.
        kind: The node's id, without the place of a map's element.
        models: Names of the model that answered, any of which a group may use.
    """
    groups = (policy.group(kind=kind, model=model) for model in models)
    group = next((group for group in groups if group is not None), None)
    if group is None:
        return done
    verdict = judge(group, reading)
    found = f"{verdict.chance:.0%} chance of being right; going up is worth {verdict.urgency:+.2f}"
    expected = f"worth less than {group.threshold:+.2f}"
    evidence = (*done.evidence, Evidence(check="policy", passed=not verdict.goes_up, expected=expected, found=found))
    if not verdict.goes_up:
        return replace(done, evidence=evidence)
    message = f"the policy doubts it: {found}"
    return Failed(kind=FailureKind.DOUBT, message=message, evidence=evidence, output=done.output)
