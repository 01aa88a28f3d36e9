"""Samples that must agree: how many are drawn, and what comes of them."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planloom.core.check import Agree
from planloom.core.json import Json, canonical
from planloom.core.outcome import Done, Evidence, Failed, FailureKind, Outcome
from planloom.graphs.consensus import sample_until_agreed

WRONG = Failed(kind=FailureKind.CHECK, message="wrong")


class Samples:
    """Hands out prepared outcomes; knows how many were drawn, and how many at once."""

    def __init__(self, *outcomes: Json | Failed) -> None:
        self.left = [item if isinstance(item, Failed) else Done(output=item) for item in outcomes]
        self.drawn = self.under_way = self.most_at_once = 0

    async def __call__(self) -> Outcome:
        outcome = self.left[self.drawn]
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

    async def draw() -> Outcome:
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
