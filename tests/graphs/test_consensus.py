"""Samples that must agree: how many are drawn, and what comes of them."""

import asyncio
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planloom.core.check import Agree
from planloom.core.json import Json, canonical
from planloom.core.outcome import Done, Evidence, Failed, FailureKind, Outcome
from planloom.graphs.consensus import sample_until_agreed
from planloom.quality.consensus import lead_confidence

WRONG = Failed(kind=FailureKind.CHECK, message="wrong")


class Samples:
    """Hands out prepared outcomes; knows how many were drawn, and how many at once."""

    def __init__(self, *outcomes: Json | Failed) -> None:
        self.left = [item if isinstance(item, Failed) else Done(output=item) for item in outcomes]
        self.numbers: list[int] = []
        self.drawn = self.under_way = self.most_at_once = 0

    async def __call__(self, number: int) -> Outcome:
        outcome = self.left[number]
        self.numbers.append(number)
        self.drawn += 1
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= 1
        return outcome


@pytest.mark.parametrize(
    ("samples", "quorum", "outcomes", "drawn", "output"),
    [
        (3, 2, ["a", "a"], 2, "a"),
        (3, 2, ["a", "b", "b"], 3, "b"),
        (3, 2, ["a", "b", "a"], 3, "a"),
        (5, 3, ["a", "b", "a", "a"], 4, "a"),
        (5, 3, ["a", "b", "c", "a", "a"], 5, "a"),
        (3, 3, ["a", "a", "a"], 3, "a"),
        (15, 2, ["a", "b", "c", "d", "b"], 5, "b"),
        (3, 2, [WRONG, "a", "a"], 3, "a"),
        (3, 2, [{"x": 1, "y": [2]}, {"y": [2], "x": 1}], 2, {"x": 1, "y": [2]}),
    ],
)
async def test_no_more_samples_are_drawn_than_settle_it(
    samples: int, quorum: int, outcomes: list[Json | Failed], drawn: int, output: Json
) -> None:
    draw = Samples(*outcomes)
    outcome = await sample_until_agreed(Agree(samples=samples, quorum=quorum), draw)
    assert isinstance(outcome, Done)
    assert outcome.output == output
    assert draw.drawn == drawn
    assert draw.most_at_once == quorum
    assert outcome.evidence[-1].check == "agree"
    assert outcome.evidence[-1].passed


@pytest.mark.parametrize(
    ("samples", "quorum", "outcomes", "drawn"),
    [
        (3, 2, ["a", "b", "c"], 3),
        (3, 3, ["a", "b", "a"], 3),
        (3, 3, ["a", WRONG, "a"], 3),
        (5, 4, ["a", "b", "c", "d"], 4),
        (3, 2, ["1", 1, True], 3),
        (4, 3, ["a", WRONG, WRONG], 3),
    ],
)
async def test_samples_that_cannot_agree_any_more_are_a_failure_with_the_votes_as_evidence(
    samples: int, quorum: int, outcomes: list[Json | Failed], drawn: int
) -> None:
    draw = Samples(*outcomes)
    outcome = await sample_until_agreed(Agree(samples=samples, quorum=quorum), draw)
    assert isinstance(outcome, Failed)
    assert outcome.kind is FailureKind.DISAGREE
    assert draw.drawn == drawn
    (evidence,) = outcome.evidence
    assert evidence.expected == f"{quorum} of at most {samples} samples equal"
    leader = canonical(next(value for value in outcomes if not isinstance(value, Failed)))
    assert f"x {leader}" in evidence.found


async def test_the_value_at_the_path_is_compared_and_the_whole_output_is_taken() -> None:
    draw = Samples({"answer": 4, "why": "a"}, {"answer": 4, "why": "b"})
    outcome = await sample_until_agreed(Agree(samples=3, quorum=2, path="output.answer"), draw)
    assert isinstance(outcome, Done)
    assert outcome.output == {"answer": 4, "why": "a"}


async def test_an_output_without_the_path_has_no_vote() -> None:
    draw = Samples({"other": 1}, {"other": 1})
    outcome = await sample_until_agreed(Agree(samples=3, quorum=2, path="output.answer"), draw)
    assert isinstance(outcome, Failed)
    assert outcome.kind is FailureKind.DISAGREE
    assert draw.drawn == 2
    assert outcome.evidence[0].found == "no valid sample"


async def test_where_every_sample_failed_the_last_failure_stands() -> None:
    last = Failed(kind=FailureKind.REFUSAL, message="no")
    draw = Samples(WRONG, last)
    assert await sample_until_agreed(Agree(samples=3, quorum=2), draw) is last
    assert draw.drawn == 2


async def test_the_elected_samples_own_evidence_is_kept() -> None:
    passed = Evidence(check="expr: x", passed=True)

    async def draw(number: int) -> Outcome:
        return Done(output=1, evidence=(passed,))

    outcome = await sample_until_agreed(Agree(samples=2, quorum=2), draw)
    assert [item.check for item in outcome.evidence] == ["expr: x", "agree"]


OUTCOMES = st.lists(st.sampled_from([1, 2, 3, WRONG]), min_size=15, max_size=15)


@given(outcomes=OUTCOMES, samples=st.integers(2, 15), quorum=st.integers(2, 15))
def test_it_agrees_exactly_when_the_quorum_is_among_the_samples_it_may_draw(
    outcomes: list[Json | Failed], samples: int, quorum: int
) -> None:
    quorum = min(quorum, samples)
    draw = Samples(*outcomes)
    outcome = asyncio.run(sample_until_agreed(Agree(samples=samples, quorum=quorum), draw))
    best = max(outcomes[:samples].count(value) for value in (1, 2, 3))
    assert isinstance(outcome, Done) == (best >= quorum)
    assert draw.drawn <= samples


THREE_OF_FIVE = Agree(samples=5, quorum=3)
SURE = Agree(samples=9, quorum=2, confidence=0.9)


@dataclass(frozen=True)
class Course:
    id: str
    samples: str
    """What is drawn, one letter each; `!` is a broken reply."""
    drawn: int
    winner: str | None
    """`None` where it is a disagreement."""
    found: str
    agree: Agree = THREE_OF_FIVE


COURSES = [
    Course("5 of 5 equal", "aaaaa", 3, "a", '3 x "a"'),
    Course("3 to 2", "abbab", 5, "b", '3 x "b"; 2 x "a"'),
    Course("3 to 2, the last one decides", "abaab", 4, "a", '3 x "a"; 1 x "b"'),
    Course("2 to 2 to 1", "aabbc", 5, None, '2 x "a"; 2 x "b"; 1 x "c"'),
    Course("all different", "abcde", 3, None, '1 x "a"; 1 x "b"; 1 x "c"', Agree(samples=4, quorum=3)),
    Course("one broken reply", "a!aa", 4, "a", '3 x "a"; 1 without a valid result'),
    Course("sure at three", "aaa", 3, "a", '3 x "a"', SURE),
    Course("one against three is not sure, against five it is", "abaaaa", 6, "a", '5 x "a"; 1 x "b"', SURE),
    Course("nobody can catch up", "aab", 2, "a", '2 x "a"', replace(SURE, samples=3)),
    Course("a tie at the end", "abab", 4, None, '2 x "a"; 2 x "b"', replace(SURE, samples=4)),
]


@pytest.mark.parametrize("course", COURSES, ids=lambda course: course.id)
async def test_a_vote_takes_its_course(course: Course) -> None:
    draw = Samples(*(WRONG if sample == "!" else sample for sample in course.samples))
    outcome = await sample_until_agreed(course.agree, draw)
    assert draw.drawn == course.drawn
    assert (outcome.output if isinstance(outcome, Done) else None) == course.winner
    assert isinstance(outcome, Done) or outcome.kind is FailureKind.DISAGREE
    assert outcome.evidence[-1].found == course.found


async def test_numbers_are_equal_in_any_notation_and_as_answers_in_any_words() -> None:
    assert isinstance(await sample_until_agreed(Agree(samples=2, quorum=2), Samples([1200], [1.2e3])), Done)
    answers = Agree(samples=4, quorum=4, compare="answer")
    drawn = Samples("It costs 12 * 100 = $1,200.00.", 1200, "#### 1200", '{"answer": "1200"}')
    assert isinstance(await sample_until_agreed(answers, drawn), Done)
    assert isinstance(await sample_until_agreed(Agree(samples=2, quorum=2), Samples("1,200", "1200")), Failed)


async def test_a_budget_that_is_spent_ends_a_vote_that_is_still_open_and_not_one_that_is_settled() -> None:
    spent = Failed(kind=FailureKind.BUDGET, message="usd: 2 of 2")
    draw = Samples("a", "b", spent, "a", "a")
    outcome = await sample_until_agreed(Agree(samples=5, quorum=2), draw)
    assert isinstance(outcome, Failed)
    assert (outcome.kind, draw.drawn) == (FailureKind.BUDGET, 3)
    assert outcome.message == 'usd: 2 of 2; samples so far: 1 x "a"; 1 x "b"; 1 without a valid result'
    assert isinstance(await sample_until_agreed(Agree(samples=5, quorum=3), Samples("a", spent, "a")), Failed)
    assert isinstance(await sample_until_agreed(Agree(samples=3, quorum=3), Samples(spent, spent, spent)), Failed)


async def test_samples_that_are_known_are_not_drawn_again() -> None:
    draw = Samples("a", "b", "a", "a")
    known = {0: Done(output="a"), 2: Done(output="a")}
    outcome = await sample_until_agreed(Agree(samples=4, quorum=3), draw, known)
    assert isinstance(outcome, Done)
    assert draw.numbers == [1, 3]


@given(
    samples=st.lists(st.sampled_from([1, 2, 3, WRONG]), min_size=9, max_size=9),
    quorum=st.integers(2, 5),
    confidence=st.sampled_from([0.0, 0.8, 0.9, 0.99]),
)
def test_what_wins_early_with_enough_samples_equal_is_never_overtaken_by_count(
    samples: list[Json | Failed], quorum: int, confidence: float
) -> None:
    draw = Samples(*samples)
    outcome = asyncio.run(sample_until_agreed(Agree(samples=9, quorum=quorum, confidence=confidence), draw))
    counts = sorted((samples[: draw.drawn].count(value) for value in (1, 2, 3)), reverse=True)
    if isinstance(outcome, Done):
        assert samples[: draw.drawn].count(outcome.output) == counts[0] >= quorum
        sure = lead_confidence(counts[0], counts[1]) >= confidence
        assert sure or counts[0] > counts[1] + 9 - draw.drawn
    elif draw.drawn < 9:
        assert counts[0] + 9 - draw.drawn < quorum
