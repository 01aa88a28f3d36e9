"""Which of a few texts is most like another: cosine of TF-IDF vectors over words, no model."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence

_WORD = re.compile(r"\w+")


def words_of(text: str) -> Counter[str]:
    """Count the words of a text, in lower case."""
    return Counter(_WORD.findall(text.lower()))


def similarities(text: str, others: Sequence[str]) -> list[float]:
    """Return how like `text` each of the others is, from 0 (no word in common) to 1 (the same words).

    A word counts the more the fewer texts it stands in.
    """
    wanted, counts = words_of(text), [words_of(other) for other in others]
    texts = [wanted, *counts]
    rarity = {word: _rarity(word, texts) for word in set[str]().union(*texts)}
    return [_cosine(wanted, count, rarity) for count in counts]


def _rarity(word: str, texts: Sequence[Counter[str]]) -> float:
    return 1.0 + math.log((1 + len(texts)) / (1 + sum(word in text for text in texts)))


def _cosine(one: Mapping[str, int], other: Mapping[str, int], rarity: Mapping[str, float]) -> float:
    shared = sum(count * other[word] * rarity[word] ** 2 for word, count in one.items() if word in other)
    lengths = math.prod(math.sqrt(sum((n * rarity[w]) ** 2 for w, n in text.items())) for text in (one, other))
    return shared / lengths if lengths else 0.0
