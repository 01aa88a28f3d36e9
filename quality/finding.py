"""What a check on text saw, and how strongly it speaks."""

from dataclasses import dataclass

from planloom.core.outcome import Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check's evidence on one answer; a check that has nothing to look at gives none."""

    evidence: Evidence
    severity: float = 0.0
    """How much is wrong, from 0 (nothing) to 2 (the most that counts): a second broken equation says more than one."""
    strength: float = 0.0
    """How far each unit of severity moves the belief that the answer is wrong, in log-odds (0.7 doubles the odds)."""

    @property
    def weight(self) -> float:
        """What it adds to the log-odds that the answer is right, before anything was calibrated."""
        return -self.strength * self.severity


@dataclass(frozen=True, slots=True)
class Flaw:
    """What a check found wrong."""

    severity: float
    expected: str
    found: str
