"""Rankings are fused by their places alone."""

import pytest

from planloom.core.fusion import fuse


def test_a_place_counts_as_the_paper_says() -> None:
    # 1: 1/61 + 1/63; 2: 1/62; 3: 1/63 + 1/61; 4: 1/62
    assert fuse([[1, 2, 3], [3, 4, 1]]) == [1, 3, 2, 4]
    # second in both (2/62 = 0.0323) beats first in one and fifth in the other (1/61 + 1/65 = 0.0318)
    assert fuse([[1, 2], [7, 2, 8, 9, 1]])[:2] == [2, 1]


def test_with_a_small_k_the_first_places_count_more() -> None:
    rankings = [[1, 2], [7, 2, 8, 9, 1]]
    assert fuse(rankings, k=0)[:2] == [1, 2]  # 1 + 1/5 against 1/2 + 1/2


@pytest.mark.parametrize("rankings", [[[3, 1, 2]], [[3, 1, 2], []], [[], [3, 1, 2]], [[3, 1, 2], [3, 1, 2]]])
def test_one_ranking_keeps_its_order(rankings: list[list[int]]) -> None:
    assert fuse(rankings) == [3, 1, 2]


def test_nothing_ranked_gives_nothing() -> None:
    assert fuse([]) == fuse([[], []]) == []
