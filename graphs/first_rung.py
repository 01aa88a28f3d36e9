"""Where a node starts on the ladder, from how past runs of the same work went.

A visit is all attempts that one piece of work made on one rung. With `p` the chance that a visit succeeds and `c` what
one costs, to start on rung `i` costs `C[i] = c[i] + (1 - p[i]) * C[i + 1]` in expectation, and on the last rung its own
cost. The cheapest start is taken, the lower one of two that cost the same: so a rung is passed over when `c[i]` is more
than `p[i] * C[i + 1]`, which is what trying it saves.

`p` is the mean of a Beta posterior over visits, from a uniform prior. A visit counts for half as much with every 30
days, for a quarter once the provider serves another model under the same name, and not at all once the workflow names
another one; so a rung that is passed over comes
back to the prior, and is tried again. Besides, one start in twenty is where it would be without any experience.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from planloom.core.json import digest
from planloom.core.plan import Effort, Node
from planloom.core.visit import Visit

HALF_LIFE_S = 30 * 86_400.0
_OTHER_MODEL = 0.25
_ENOUGH = 4.0
"""Visits, fresh ones, that weigh more than a word."""
_EASY, _HARD = 0.85, 0.5
_EXPLORED = 20
"""One start in so many ignores what is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A rung of the ladder as it is now."""

    name: str
    model: str
    price: float
    """USD of a million tokens in and a million out; what rungs that were not visited are thought to cost follows."""


def signature(node: Node) -> str:
    """Return what makes two nodes the same kind of work: everything that is asked of a model, but no inputs."""
    grants = [[grant.tool, sorted(grant.args)] for grant in node.tools]
    checks = [repr(check) for check in node.checks]
    asked = [node.kind, node.goal, grants, dict(node.output) if node.output else None, checks, repr(node.agree)]
    return digest([*asked, repr(node.panel)] if node.panel else asked)


def explores(run_id: str, node_id: str) -> bool:
    """Tell whether a start is one of those that ignore what is known; the same whenever it is asked."""
    return int(digest(["explore", run_id, node_id]), 16) % _EXPLORED == 0


def first_rung(ladder: Sequence[Offer], start: int, visits: Sequence[Visit], now: float) -> int:
    """Return the index of the rung to start on, `start` or above.

    Args:
        ladder: From cheap to strong.
        start: Where it would start without experience.
        visits: Of the same kind of work.
        now: Seconds since the epoch.
    """
    costs = _costs(ladder, visits, now)
    if costs is None:
        return start
    best = len(ladder) - 1
    least = climb = costs[best]
    for index in reversed(range(start, best)):
        climb = costs[index] + (1 - chance(ladder[index], visits, now)) * climb
        if climb <= least:
            best, least = index, climb
    return best


def alike(ladder: Sequence[Offer], visits: Sequence[Visit]) -> str:
    """Say how past visits to each rung's model went, such as `mini: 18 of 20 alike succeeded`.

    Args:
        ladder: From cheap to strong.
        visits: Of the same kind of work.
    """
    told: list[str] = []
    for offer in ladder:
        same, served = _same(offer, visits)
        others = sum(visit.served != served for visit in same)
        fades = f" ({others} of them under another model, which count a quarter)" if others else ""
        if same:
            told.append(f"{offer.name}: {sum(visit.ok for visit in same)} of {len(same)} alike succeeded{fades}")
    return "; ".join(told)


def _same(offer: Offer, visits: Sequence[Visit]) -> tuple[list[Visit], str]:
    """Return the visits to a rung's model, and what the provider serves under its name now."""
    same = [visit for visit in visits if visit.rung == offer.name and visit.model == offer.model]
    return same, max(same, key=lambda visit: visit.at).served if same else ""


def chance(offer: Offer, visits: Sequence[Visit], now: float) -> float:
    """Return how likely a visit succeeds: the mean of the posterior."""
    weighed = _weighed(offer, visits, now)
    won = sum(weight for visit, weight in weighed if visit.ok)
    return (1 + won) / (2 + sum(weight for _, weight in weighed))


def _weighed(offer: Offer, visits: Sequence[Visit], now: float) -> list[tuple[Visit, float]]:
    """Return the visits to a rung's model, each with what it still counts for."""
    same, newest = _same(offer, visits)
    return [
        (visit, 0.5 ** (max(0.0, now - visit.at) / HALF_LIFE_S) * (1.0 if visit.served == newest else _OTHER_MODEL))
        for visit in same
    ]


def tells(offer: Offer, visits: Sequence[Visit], now: float) -> bool:
    """Tell whether visits to a rung weigh more than what a node says of itself."""
    return sum(weight for _, weight in _weighed(offer, visits, now)) >= _ENOUGH


def corrected(said: Effort, offer: Offer, visits: Sequence[Visit], now: float) -> Effort:
    """Return how hard a kind of work is, where it is known better than whoever wrote the node did.

    Args:
        said: What the node says.
        offer: The first rung of the ladder: work is easy when it mostly ends there, and hard when it mostly does not.
        visits: Of the same kind of work.
        now: Seconds since the epoch.
    """
    if not tells(offer, visits, now):
        return said
    won = chance(offer, visits, now)
    return "low" if won >= _EASY else "medium" if won >= _HARD else "high"


def _costs(ladder: Sequence[Offer], visits: Sequence[Visit], now: float) -> list[float] | None:
    """Return what a visit to each rung costs; `None` when that cannot be told."""
    if not ladder or any(offer.price <= 0 for offer in ladder):
        return None
    known: Mapping[int, float] = {
        index: sum(visit.cost_usd * weight for visit, weight in weighed) / sum(weight for _, weight in weighed)
        for index, offer in enumerate(ladder)
        if (weighed := _weighed(offer, visits, now))
    }
    if not known:
        return None
    return [known[i] if i in known else _guessed(i, ladder, known) for i in range(len(ladder))]


def _guessed(index: int, ladder: Sequence[Offer], known: Mapping[int, float]) -> float:
    """Return what a visit would cost: as the nearest rung that is known, at this one's price."""
    near = min(known, key=lambda other: (abs(other - index), other))
    return known[near] * ladder[index].price / ladder[near].price
