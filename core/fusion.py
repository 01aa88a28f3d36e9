"""One ranking out of several."""

from collections import defaultdict
from collections.abc import Sequence

K = 60


def fuse(rankings: Sequence[Sequence[int]], k: int = K) -> list[int]:
    """Return all that is ranked anywhere, best first, by reciprocal rank fusion: the sum of 1 / (k + rank).

    Scores that cannot be compared, such as BM25 and cosine, never meet: only places do (Cormack, Clarke and Buettcher,
    SIGIR 2009, who found k = 60). What is equally good stands as in the first ranking that has it.

    Args:
        rankings: Each best first, each item once.
        k: How little the first places count over those behind them, at least 0.
    """
    scores: defaultdict[int, float] = defaultdict(float)
    for ranking in rankings:
        for rank, item in enumerate(ranking, 1):
            scores[item] += 1 / (k + rank)
    return sorted(scores, key=lambda item: -scores[item])
