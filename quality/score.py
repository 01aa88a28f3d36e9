"""One number for an answer: the log-odds that it is right, from what the checks on its text found."""

from collections.abc import Iterable

from planloom.quality.catalogue import CHECKS, check_texts
from planloom.quality.finding import Finding
from planloom.quality.reading import Reading
from planloom.quality.traits import TRAITS

COLUMNS: tuple[str, ...] = ("score", *CHECKS, *TRAITS)
"""What a calibration weighs: the untrained score, the severity of each check, each trait of the question."""


def untrained(findings: Iterable[Finding]) -> float:
    """Return the log-odds by the strengths the checks come with, up to a constant: 0 when nothing is wrong."""
    return sum(finding.weight for finding in findings)


def features(reading: Reading) -> list[float]:
    """Return one number per column."""
    findings = check_texts(reading)
    severities = [finding.severity for finding in findings.values()]
    return [untrained(findings.values()), *severities, *(trait(reading) for trait in TRAITS.values())]
