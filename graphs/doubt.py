"""Doubt: an answer that passed its checks, though a calibrated policy gives it too small a chance."""

from collections.abc import Iterator
from dataclasses import replace

from planloom.configs.spec import WorkflowSpec
from planloom.core.outcome import Done, Evidence, Failed, FailureKind, Outcome
from planloom.core.plan import Finding
from planloom.quality.policy import Choice, Policy, judge
from planloom.quality.reading import Reading


def choice_of(policy: Policy, spec: WorkflowSpec, kind: str, rung: str) -> Choice | None:
    """Return what weighs the answers of a node on a rung; `None` where the policy is not about that kind of node."""
    above = spec.rungs[spec.rungs.index(rung) + 1 :] if rung in spec.rungs else ()
    stronger = [name for other in above for name in _names(spec, other)]
    return policy.choose(kind=kind, models=_names(spec, rung), stronger=stronger)


def _names(spec: WorkflowSpec, rung: str) -> tuple[str, str, str]:
    model = spec.models[rung].model
    return rung, model, model.partition(":")[2]


def set_aside(policy: Policy, spec: WorkflowSpec) -> Iterator[Finding]:
    """Yield why a policy, or a part of it, does not weigh what it is there for: once for each rung and reason."""
    workers = [name for name, node in spec.nodes.items() if node.kind == "worker"]
    kinds = list(dict.fromkeys(group.kind for group in policy.groups)) if spec.auto else workers
    told: dict[str, list[str]] = {}
    for rung in spec.rungs[:-1]:
        for kind in kinds:
            choice = choice_of(policy, spec, kind, rung)
            if choice is not None and choice.set_aside:
                told.setdefault(aside(rung, choice), []).append(kind)
    for message, about in told.items():
        nodes = f" (nodes: {', '.join(about[:8])})" if about != ["*"] else ""
        yield Finding(code="policy_aside", field="route.policy", message=f"{message}{nodes}", fatal=False)


def aside(rung: str, choice: Choice) -> str:
    """Say that what was fitted does not count on a rung."""
    return f"the policy is set aside on {rung!r}: {choice.set_aside}; untrained checks weigh the answers there"


def weighed(choice: Choice, reading: Reading, done: Done, *, final: bool = False) -> Outcome:
    """Return an answer with its chance as evidence, or the failure that sends it up.

    Args:
        choice: What weighs it.
        reading: The answer as the checks on text see it.
        done: The answer, with what its checks said.
        final: Nobody stronger is left: it is weighed and kept.
    """
    group, verdict = choice.group, judge(choice.group, reading)
    trained = ", by untrained checks" if choice.set_aside else ""
    found = f"{verdict.chance:.0%} chance of being right{trained}; going up is worth {verdict.urgency:+.2f}"
    expected = f"worth less than {group.threshold:+.2f}"
    evidence = (*done.evidence, Evidence(check="policy", passed=not verdict.goes_up, expected=expected, found=found))
    if final or not verdict.goes_up:
        return replace(done, evidence=evidence)
    message = f"the policy doubts it: {found}"
    return Failed(
        kind=FailureKind.DOUBT,
        message=message,
        evidence=evidence,
        output=done.output,
        chance=verdict.chance,
        stronger=verdict.stronger,
    )
