"""What code finds to contradict itself on a board, and what it leaves alone."""

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planloom.core.board import Board, Claim, ClaimId, Contribution, Draft, Merge, Ruling, moderate, write
from planloom.core.contradiction import contradictions
from planloom.core.json import Json


@dataclass(frozen=True)
class Case:
    id: str
    one: tuple[str, str, Json]
    """Subject, statement, value."""
    other: tuple[str, str, Json]
    reason: str = ""


CASES = [
    Case("numbers", ("rate", "x", 4.5), ("The Rate", "y", 5.1), "numbers differ: 4.5 and 5.1"),
    Case("numbers within tolerance", ("rate", "x", 1000), ("rate", "y", 1000.5)),
    Case("numbers of other subjects", ("rate of May", "x", 4.5), ("rate of June", "y", 5.1)),
    Case("zero and not", ("n", "x", 0), ("n", "y", 1e-12), "numbers differ: 0 and 1e-12"),
    Case("quantities", ("mass", "x", "12 kg"), ("mass", "y", "13 kg"), "numbers differ: 12 kg and 13 kg"),
    Case("one quantity in two units", ("mass", "x", "12 kg"), ("mass", "y", "12000 g")),
    Case("quantities in other units", ("mass", "x", "12 kg"), ("mass", "y", "12 g"), "numbers differ: 12 kg and 12 g"),
    Case("quantities of other kinds", ("size", "x", "12 kg"), ("size", "y", "12 m")),
    Case("one time in words", ("trip", "It takes 2 hours.", None), ("trip", "120 minutes it is", None)),
    Case("times in words", ("trip", "It takes 2 hours.", None), ("trip", "90 minutes it is", None),
         "numbers differ: 2 hour and 90 minute"),
    Case("a number as text", ("n", "x", "1,200"), ("n", "y", 1200)),
    Case("truth values", ("safe", "x", True), ("safe", "y", False), "values differ: true and false"),
    Case("a truth value in words", ("safe", "x", True), ("safe", "y", "no"), "values differ: true and false"),
    Case("a truth value is no number", ("n", "x", True), ("n", "y", 1), "values differ: true and 1"),
    Case("terms", ("risk", "x", "high"), ("risk", "y", "low"), 'values differ: "high" and "low"'),
    Case("terms in other letters", ("risk", "x", "Not found"), ("risk", "y", "not-found")),
    Case("prose", ("risk", "x", "a" * 61), ("risk", "y", "b")),
    Case("dates", ("day", "x", "2024-05-01"), ("day", "y", "2024-06-01"), "dates differ: 2024-05-01 and 2024-06-01"),
    Case("one day, once with its time", ("day", "x", "2024-05-01"), ("day", "y", "2024-05-01T10:00:00Z")),
    Case("one day in words", ("day", "x", "2024-05-01"), ("day", "y", "1st of May 2024")),
    Case("days in words", ("day", "x", "May 1, 2024"), ("day", "y", "2 May 2024"),
         "dates differ: 2024-05-01 and 2024-05-02"),
    Case("one day in statements", ("day", "It opened on May 1, 2024.", None), ("day", "Opened 2024-05-01", None)),
    Case("days of the same words", ("day", "The bridge opened on 1 May 1931.", None),
         ("opening", "The bridge opened on May 2nd, 1931", None), "dates differ: 1931-05-01 and 1931-05-02"),
    Case("a number in words of size", ("sold", "x", "1.2 million units"), ("sold", "y", 1_200_000)),
    Case("numbers in words of size", ("sold", "The shop sold 1.2 million units.", None),
         ("sales", "The shop sold 1,300,000 units.", None), "numbers differ: 1200000 unit and 1300000 unit"),
    Case("types", ("n", "x", 5), ("n", "y", "unknown"), 'values differ in type: 5 and "unknown"'),
    Case("names in another order", ("who", "x", ["b", "a"]), ("who", "y", ["a", "b"])),
    Case("lists", ("who", "x", ["a"]), ("who", "y", ["a", "b"]), "lists differ: 1 items and 2 items"),
    Case("items", ("row", "x", [1, 2]), ("row", "y", [1, 3]), "[1]: numbers differ: 2 and 3"),
    Case("objects", ("o", "x", {"k": 1, "m": 1}), ("o", "y", {"k": 2, "n": 1}), "k: numbers differ: 1 and 2"),
    Case("objects that share no key", ("o", "x", {"k": 1}), ("o", "y", {"m": 2})),
    Case("figures", ("rate", "It is 4.5 percent.", None), ("rate", "I get 5.1 percent", None),
         "numbers differ: 4.5 percent and 5.1 percent"),
    Case("figures with the sign", ("rate", "It is 4.5%.", None), ("rate", "I get 5.1 %", None),
         "numbers differ: 4.5 % and 5.1 %"),
    Case("figures of other things", ("rate", "It took 4 days.", None), ("rate", "I get 5 percent", None)),
    Case("years", ("shop", "Closed since 2019 it is.", None), ("shop", "It reopened in 2021.", None)),
    Case("several figures in other words", ("rate", "From 4 to 5.", None), ("rate", "Up to 6 from 5.", None)),
    Case("several figures in the same words", ("rate", "From 4 to 5.", None), ("rate", "From 4 to 6.", None),
         "numbers differ: 5 and 6"),
    Case("a figure against a value", ("rate", "It is 4.5 percent.", None), ("rate", "y", 5.1),
         "numbers differ: 4.5 percent and 5.1"),
    Case("days in statements", ("launch", "On 2024-05-01.", None), ("launch", "Began 2024-06-01", None),
         "dates differ: 2024-05-01 and 2024-06-01"),
    Case("a denial", ("x", "The button works.", None), ("x", "The button doesn't work", None),
         "one denies what the other says"),
    Case("a denial with can", ("x", "It can fail", None), ("x", "It cannot fail.", None),
         "one denies what the other says"),
    Case("a denial by un-", ("x", "It is safe", None), ("x", "It is unsafe", None), "one denies what the other says"),
    Case("a denial of the whole", ("x", "The plan scales", None), ("x", "It is not true that the plan scales", None),
         "one denies what the other says"),
    Case("a denial denied", ("x", "It is not true that the plan does not scale", None), ("x", "The plan scales", None)),
    Case("a denial under another subject", ("x", "Export works in Firefox", None),
         ("y", "Export does not work in Firefox", None), "one denies what the other says"),
    Case("a denial that leans on its subject", ("x", "It is safe here", None), ("y", "It is not safe here", None)),
    Case("a denial of another figure", ("x", "It is not 4 kg", None), ("x", "It is 4 kg", None),
         "one denies what the other says"),
    Case("equal values, denied in words", ("x", "It works", 1), ("x", "It does not work", 1),
         "one denies what the other says"),
    Case("other words", ("x", "The button works.", None), ("x", "Clicking does nothing.", None)),
    Case("empty statements of stop words", ("x", "It is", None), ("x", "It is not", None),
         "one denies what the other says"),
]  # fmt: skip


def board_of(*claims: tuple[str, str, Json]) -> Board:
    return write(
        Board(),
        [
            Contribution(author=f"m{index}", claims=(Draft(subject=subject, statement=statement, value=value),))
            for index, (subject, statement, value) in enumerate(claims)
        ],
    )


def reasons(board: Board, tolerance: float = 0.001) -> list[str]:
    return [pair.reason for pair in contradictions(board, tolerance=tolerance)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_two_claims_contradict_each_other_or_do_not(case: Case) -> None:
    assert reasons(board_of(case.one, case.other)) == ([case.reason] if case.reason else [])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_the_order_of_two_claims_does_not_matter(case: Case) -> None:
    assert len(reasons(board_of(case.other, case.one))) == bool(case.reason)


def test_the_tolerance_says_what_counts_as_the_same_number() -> None:
    board = board_of(("n", "x", 100), ("n", "y", 104))
    assert (len(reasons(board, 0.05)), len(reasons(board, 0.03)), len(reasons(board, 0))) == (0, 1, 1)


def test_each_pair_is_told_once_and_only_of_claims_that_stand() -> None:
    board = board_of(("n", "n is 1", 1), ("n", "n is 2", 2), ("n", "n is 3", 3), ("m", "m is 3", 3))
    pairs = [pair.claims for pair in contradictions(board, tolerance=0)]
    assert pairs == [("c1", "c2"), ("c1", "c3"), ("c2", "c3")]
    board = write(board, [Contribution(author="m0", withdraws=("c1",))])
    assert [pair.claims for pair in contradictions(board, tolerance=0)] == [("c2", "c3")]


def test_a_pair_that_the_moderator_lets_stand_is_told_no_more() -> None:
    board = board_of(("n", "x", 1), ("n", "y", 2))
    (pair,) = contradictions(board, tolerance=0)
    ruling = Ruling(claims=pair.claims, keep="both", reason="of two years")
    assert reasons(moderate(board, Merge(result=None, rulings=(ruling,)))) == []
    assert reasons(moderate(board, Merge(result=None, rulings=(replace(ruling, keep="c2"),)))) == []


SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=30)
)


@given(st.text(max_size=80), SCALARS)
def test_nothing_contradicts_itself_whatever_it_says(statement: str, value: Json) -> None:
    claim = Claim(id=ClaimId("c1"), author="a", round=1, subject="s", statement=statement, value=value)
    assert reasons(Board(claims=(claim, replace(claim, id=ClaimId("c2"), author="b")))) == []
