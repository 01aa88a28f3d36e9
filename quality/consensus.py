"""Several answers to one question, compared by what they come to, and when a vote over them is settled.

`answer_effect`, `json_effect` and what a program printed make answers comparable. `weigh` says for which one the checks
on all of them speak; `settled` and `draws` say when a vote by counting is over, and how many more answers it needs.
"""

import math
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from planloom.core.json import Json, canonical
from planloom.quality.final import find_final

AGREEMENT = 3.0
"""Log-odds that a second independent answer with the same effect adds: on most questions wrong answers rarely meet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One answer in a vote."""

    effect: str | None
    """What it comes to, so that equal effects are equal texts; `None` when it comes to nothing."""
    log_odds: float = 0.0
    """What the checks on it say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consensus:
    """What several answers come to, with their checks."""

    winner: int | None
    """Index of the best answer; `None` when none came to anything."""
    log_odds: float
    """Of the winner against every other effect seen, and against none of them being right."""


def weigh(votes: Sequence[Vote]) -> Consensus:
    """Compare answers: an effect is worth its best answer's log-odds and `AGREEMENT` for each further answer."""
    counts = Counter(vote.effect for vote in votes if vote.effect is not None)
    if not counts:
        return Consensus(winner=None, log_odds=-math.inf)
    best: dict[str, int] = {}
    for place, vote in enumerate(votes):
        if vote.effect is not None and (vote.effect not in best or vote.log_odds > votes[best[vote.effect]].log_odds):
            best[vote.effect] = place
    worth = {effect: votes[place].log_odds + AGREEMENT * (counts[effect] - 1) for effect, place in best.items()}
    leading = max(worth, key=lambda effect: (worth[effect], -best[effect]))
    against = sum(math.exp(min(odds, 50.0)) for effect, odds in worth.items() if effect != leading)
    return Consensus(winner=best[leading], log_odds=worth[leading] - math.log1p(against))


def lead_confidence(first: int, second: int) -> float:
    """Return the chance that the first of two effects is the more common one, after so many of each.

    The posterior of its share is Beta(first + 1, second + 1), and this is its mass above one half: the rule of
    Adaptive-Consistency (Aggarwal et al., 2023).
    """
    draws = first + second + 1
    return sum(math.comb(draws, heads) for heads in range(first + 1)) / float(2**draws)


def settled(first: int, second: int, left: int, *, quorum: int, confidence: float) -> bool:
    """Tell whether a vote is over with the first of two effects as its winner.

    Args:
        first: Answers with the most common effect.
        second: Answers with the next one.
        left: Answers that may still be drawn.
        quorum: What the winner needs.
        confidence: What `lead_confidence` must be, unless the second cannot catch up any more; 0 asks for no lead.
    """
    return first >= quorum and (lead_confidence(first, second) >= confidence or first > second + left)


def draws(first: int, second: int, left: int, *, quorum: int, confidence: float) -> int:
    """Return how many of the `left` answers a vote needs at least to be over, if all of them side with the first."""
    enough = (
        more
        for more in range(1, left)
        if settled(first + more, second, left - more, quorum=quorum, confidence=confidence)
    )
    return next(enough, left)


def effect_of(text: str) -> str | None:
    """Return the canonical effect of a text: its final number, so that `$1,200.00` and `1200` are equal.

    A stated answer that one number does not say, such as a time, a date, a list or a name, counts by its words.
    """
    final = find_final(text)
    if final is None:
        return None
    return _words(final.text) if final.value is None or final.several else number_effect(final.value)


def _words(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).lower().split()).strip(" .!\"'*`_$")


def number_effect(value: float) -> str:
    """Return a number's canonical text, to nine significant digits."""
    return format(value, ".9g")


def answer_effect(value: Json) -> str | None:
    """Return what a value comes to as an answer: its number, the final one of a text, or a text without its looks."""
    if isinstance(value, str):
        return effect_of(value) or _words(value) or None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number_effect(value)
    return json_effect(value)


def json_effect(value: Json) -> str:
    """Return a JSON value's canonical text: whole floats as integers, others to twelve digits, texts composed alike."""
    return canonical(_plain(value))


def _plain(value: Json) -> Json:
    if isinstance(value, dict):
        return {unicodedata.normalize("NFC", key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if not isinstance(value, float) or not math.isfinite(value):
        return value
    value = float(f"{value:.12g}")  # 0.1 + 0.2 is 0.3
    return int(value) if value.is_integer() and abs(value) < 1e15 else value
