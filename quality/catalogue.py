"""The checks on text by name, each with the strength it has before anything was calibrated."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from planloom.core.outcome import Evidence
from planloom.quality import demand, form, source, work
from planloom.quality.finding import Finding, Flaw
from planloom.quality.reading import Reading

TextName: TypeAlias = Literal[
    "final_answer",
    "complete",
    "settled",
    "whole",
    "size",
    "arithmetic",
    "derived",
    "steps_used",
    "grounded",
    "solved",
    "even_steps",
    "numbers_used",
    "repeats_used",
    "enough_steps",
    "operations",
    "units",
    "citation",
    "tool_call",
    "code",
]


@dataclass(frozen=True, slots=True)
class Weighed:
    """A check and its strength."""

    strength: float
    """Log-odds per unit of severity."""
    look: Callable[[Reading], Flaw | None]


DECISIVE, STRONG, CLEAR, MEDIUM, WEAK = 3.0, 2.0, 1.5, 0.7, 0.3

CHECKS: Mapping[str, Weighed] = {
    "final_answer": Weighed(MEDIUM, form.final_answer),
    "complete": Weighed(DECISIVE, form.complete),
    "settled": Weighed(STRONG, form.settled),
    "whole": Weighed(STRONG, form.whole),
    "size": Weighed(CLEAR, form.size),
    "arithmetic": Weighed(STRONG, work.arithmetic),
    "derived": Weighed(CLEAR, work.derived),
    "steps_used": Weighed(MEDIUM, work.steps_used),
    "grounded": Weighed(WEAK, work.grounded),
    "solved": Weighed(MEDIUM, work.solved),
    "even_steps": Weighed(MEDIUM, work.even_steps),
    "numbers_used": Weighed(MEDIUM, demand.numbers_used),
    "repeats_used": Weighed(WEAK, demand.repeats_used),
    "enough_steps": Weighed(WEAK, demand.enough_steps),
    "operations": Weighed(MEDIUM, demand.operations),
    "units": Weighed(WEAK, demand.units),
    "citation": Weighed(CLEAR, source.citation),
    "tool_call": Weighed(CLEAR, source.tool_call),
    "code": Weighed(CLEAR, source.code),
}


def check_text(name: str, reading: Reading) -> Finding:
    """Run one check."""
    check = CHECKS[name]
    flaw = check.look(reading)
    if flaw is None:
        return Finding(evidence=Evidence(check=f"text: {name}", passed=True))
    evidence = Evidence(check=f"text: {name}", passed=False, expected=flaw.expected, found=flaw.found[:300])
    return Finding(evidence=evidence, severity=flaw.severity, strength=check.strength)


def check_texts(reading: Reading, names: Iterable[str] = tuple(CHECKS)) -> dict[str, Finding]:
    """Run several checks; all of them if none are named."""
    return {name: check_text(name, reading) for name in names}
