"""A board only ever gains versions; who may do what to which claim is decided by code."""

from dataclasses import replace

import pytest

from planloom.core.board import Board, ClaimId, Contribution, Draft, Merge, Ruling, moderate, write
from planloom.core.json import Json


def says(author: str, *statements: str, value: Json = None, **more: object) -> Contribution:
    drafts = tuple(Draft(subject="s", statement=statement, value=value) for statement in statements)
    return replace(Contribution(author=author, claims=drafts), **more)  # type: ignore[arg-type]


def standing(board: Board) -> list[str]:
    return [f"{claim.id} {claim.author}: {claim.statement}" for claim in board.standing]


TWO = write(Board(), [says("a", "One."), says("b", "Two.")])


def test_a_round_makes_the_next_version_and_leaves_the_one_before_as_it_was() -> None:
    before = Board()
    after = write(before, [says("a", "One."), says("b", "Two.")])
    assert (before, after.version, after.round) == (Board(), 1, 1)
    assert standing(after) == ["c1 a: One.", "c2 b: Two."]


def test_who_says_what_stands_already_endorses_it() -> None:
    board = write(TWO, [says("a", " two"), says("b", endorses=("c1",)), says("c", "One!", "One.")])
    assert [claim.endorsed_by for claim in board.claims] == [("b", "c"), ("a",)]
    assert board.news == TWO.news
    assert not board.unanimous(["a", "b", "c"])
    assert board.unanimous(["a", "b"])


def test_the_same_words_with_another_value_are_another_claim() -> None:
    board = write(Board(), [says("a", "It is.", value=1), says("b", "It is.", value=2), says("c", "It is.", value=2)])
    assert [(claim.value, claim.endorsed_by) for claim in board.claims] == [(1, ()), (2, ("c",))]


def test_an_author_withdraws_and_supersedes_its_own_claims_and_no_others() -> None:
    foreign = Contribution(author="a", claims=(Draft(subject="s", statement="Three.", supersedes="c2"),))
    assert standing(write(TWO, [foreign, says("b", withdraws=("c1", "c9"))])) == [*standing(TWO), "c3 a: Three."]
    own = Contribution(author="a", claims=(Draft(subject="s", statement="Three.", supersedes="c1"),))
    board = write(TWO, [own])
    assert standing(board) == ["c2 b: Two.", "c3 a: Three."]
    assert (board.claims[2].supersedes, board.claims[0].statement) == ("c1", "One.")
    assert standing(write(board, [says("b", withdraws=("c2",))])) == ["c3 a: Three."]


def test_giving_way_to_a_claim_that_stands_endorses_it_and_withdraws_ones_own() -> None:
    gives_way = Contribution(author="a", claims=(Draft(subject="the S", statement="Two", supersedes="c1"),))
    board = write(TWO, [gives_way])
    assert standing(board) == ["c2 b: Two."]
    assert board.claims[1].endorsed_by == ("a",)
    assert board.unanimous(["a", "b"])


def test_sources_that_the_author_never_had_are_left_out() -> None:
    draft = Draft(subject="s", statement="Three.", sources=("rows", "c1", "c7", "web", "rows"))
    board = write(TWO, [Contribution(author="a", claims=(draft,), known=frozenset({"rows", "db.query"}))])
    assert board.claims[-1].sources == ("rows", "c1")


RULING = Ruling(claims=(ClaimId("c1"), ClaimId("c2")), keep="c2", reason="measured")


@pytest.mark.parametrize(
    ("keep", "left"), [("c2", ["c2 b: Two."]), ("c1", ["c1 a: One."]), ("both", standing(TWO)), ("c7", standing(TWO))]
)
def test_a_ruling_takes_the_other_claim_off_the_board(keep: str, left: list[str]) -> None:
    board = moderate(TWO, Merge(result=1, rulings=(replace(RULING, keep=keep),)))
    assert standing(board) == left
    assert (board.version, board.merged_round, board.result) == (2, 1, 1)
    assert len(board.rulings) == (keep != "c7")


def test_an_overruled_claim_does_not_come_back_by_being_said_again() -> None:
    board = write(moderate(TWO, Merge(result=1, rulings=(RULING,))), [says("a", "One."), says("c", "One.")])
    assert standing(board) == ["c2 b: Two."]
    assert board.news == TWO.news


def test_a_ruling_on_claims_that_do_not_stand_means_nothing() -> None:
    once = moderate(TWO, Merge(result=1, rulings=(RULING,)))
    again = moderate(once, Merge(result=2, rulings=(replace(RULING, keep="c1"),)))
    assert standing(again) == ["c2 b: Two."]


def test_nothing_stands_on_an_empty_board_so_nobody_agrees() -> None:
    assert not Board().unanimous(["a"])
