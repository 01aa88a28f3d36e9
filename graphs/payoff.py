"""What pays best next: the steps that a doubted or failed answer can take, by the chance they gain for a dollar.

A piece of work is right on a rung with a chance of its own: over pieces of one kind it is Beta distributed with a total
weight of `_SPREAD`, so that each failure on a rung says that this piece is one of the harder ones. A vote is right when
the quorum of its samples is; wrong ones are taken not to meet. A step that gains nothing comes after all that do.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from planloom.core.check import Agree

Spend: TypeAlias = Literal["retry", "vote", "promote"]
"""A step that spends compute."""

_SPREAD = 2.0
"""How much pieces of work differ: at 2, with an even chance all of them are equally frequent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Odds:
    """What is known of an answer that may be replaced. Costs in USD."""

    now: float
    """Chance that the answer there is is right; 0 where a check has refuted it."""
    again: float
    """Chance that another one of the same rung is, whatever has failed so far."""
    above: float
    """Chance that one of the next rung is."""
    cost_usd: float
    """Of another attempt on the same rung."""
    above_usd: float
    """Of one on the next."""
    failures: int = 0
    """Refuted answers of this rung so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payoff:
    """What a step would gain, and cost."""

    step: Spend
    gain: float
    """How much likelier a right answer becomes."""
    cost_usd: float

    @property
    def per_usd(self) -> float:
        """The gain for a dollar."""
        return self.gain / self.cost_usd

    def __str__(self) -> str:
        return f"{self.step} {self.gain:+.2f} for ${self.cost_usd:.2g}"


def payoffs(odds: Odds, vote: Agree | None) -> list[Payoff]:
    """Return what each step would gain; a vote where there is one to hold."""
    again = odds.again * _SPREAD / (_SPREAD + odds.failures)
    found = [
        Payoff(step="retry", gain=again - odds.now, cost_usd=odds.cost_usd),
        Payoff(step="promote", gain=odds.above - odds.now, cost_usd=odds.above_usd),
    ]
    if vote is not None:
        gain = _elected(again, vote.samples, vote.quorum) - odds.now
        found.append(Payoff(step="vote", gain=gain, cost_usd=odds.cost_usd * vote.samples))
    return found


def by_worth(found: Iterable[Payoff], order: Sequence[Spend]) -> list[Payoff]:
    """Sort steps by what pays best: gain for a dollar, and those that gain nothing last; `order` decides a tie."""
    return sorted(
        found, key=lambda each: (each.gain <= 0, -each.per_usd if each.gain > 0 else 0, order.index(each.step))
    )


def _elected(chance: float, samples: int, quorum: int) -> float:
    """Return the chance that at least the quorum of samples is right."""
    return sum(
        math.comb(samples, right) * chance**right * (1 - chance) ** (samples - right)
        for right in range(quorum, samples + 1)
    )
