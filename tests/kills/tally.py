"""What the kills have shown: the figures, and every promise that was broken."""

from dataclasses import dataclass, field


@dataclass
class Tally:
    """What was seen, over all runs."""

    kills: int = 0
    runs: int = 0
    lives: int = 0
    cold: int = 0
    """Lives that were a new process of the command line's."""
    at_write: int = 0
    """Kills between a write's effect and its answer."""
    held: int = 0
    """Writes in doubt that were put to the harness, which looked at the receiver."""
    asked_again: list[str] = field(default_factory=list[str])
    lost: list[str] = field(default_factory=list[str])
    writes: list[str] = field(default_factory=list[str])
    different: list[str] = field(default_factory=list[str])
    over_cap: list[str] = field(default_factory=list[str])

    @property
    def violations(self) -> list[str]:
        """Everything that was promised not to happen."""
        return [*self.asked_again, *self.lost, *self.writes, *self.different, *self.over_cap]

    def table(self) -> str:
        """Return the figures as lines."""
        rows = {
            "kills (kill -9)": self.kills,
            "  between a write's effect and its answer": self.at_write,
            "runs": self.runs,
            "lives of processes": self.lives,
            "  cold starts of the command line": self.cold,
            "writes in doubt that were held for a person": self.held,
            "committed nodes asked again at the model server": len(self.asked_again),
            "lost results": len(self.lost),
            "writes made twice, or lost, at the receiver": len(self.writes),
            "results that differ from an uninterrupted run": len(self.different),
            "spend over the cap, or calls not booked": len(self.over_cap),
        }
        return "\n".join(f"{name:<52}{count:>6}" for name, count in rows.items())
