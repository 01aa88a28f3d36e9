"""What members and moderators reply, as models write it: whole, sloppy, and of no use."""

import json

import pytest

from planloom.agents.claims import MAX_CLAIMS, claims_schema, merge_schema, read_contribution, read_merge
from planloom.core.board import Contribution, Draft, Merge
from planloom.core.json import Json, JsonObject
from planloom.core.outcome import Failed, FailureKind
from planloom.models.structured import strict_schema

CLAIM: JsonObject = {"subject": "rate", "statement": "It is 5 %.", "value": 5}
NUMBER: JsonObject = {"type": "object", "properties": {"n": {"type": "number"}}, "required": ["n"]}


def written(value: Json) -> Contribution | Failed:
    return read_contribution(json.dumps(value), "a", frozenset({"rows"}))


def merged(value: Json, *, final: bool = False) -> Merge | Failed:
    return read_merge(json.dumps(value), NUMBER, final=final)


def test_a_whole_contribution_is_read() -> None:
    claim: JsonObject = {**CLAIM, "confidence": 0.5, "sources": ["rows", "c1"], "supersedes": "c2"}
    assert written({"claims": [claim], "endorses": ["c1"], "withdraws": ["c3"]}) == Contribution(
        author="a",
        claims=(
            Draft(
                subject="rate",
                statement="It is 5 %.",
                value=5,
                confidence=0.5,
                sources=("rows", "c1"),
                supersedes="c2",
            ),
        ),
        endorses=("c1",),
        withdraws=("c3",),
        known=frozenset({"rows"}),
    )


def test_a_claim_needs_no_more_than_a_subject_and_a_statement() -> None:
    found = written({"claims": [{"subject": " rate ", "statement": "It is 5 %.", "confidence": 7, "supersedes": ""}]})
    assert isinstance(found, Contribution)
    assert found.claims == (Draft(subject="rate", statement="It is 5 %.", confidence=1.0),)


def test_prose_around_the_json_does_no_harm() -> None:
    found = read_contribution(f"I say:\n```json\n{json.dumps({'claims': [CLAIM]})}\n```", "a", frozenset())
    assert isinstance(found, Contribution)
    assert len(found.claims) == 1


@pytest.mark.parametrize(
    ("value", "kind", "says"),
    [
        ("no JSON", FailureKind.UNPARSEABLE, "not JSON"),
        ([CLAIM], FailureKind.SCHEMA, "object"),
        ({"endorses": []}, FailureKind.SCHEMA, "claims"),
        ({"claims": [{"subject": "rate"}]}, FailureKind.SCHEMA, "statement"),
        ({"claims": [{**CLAIM, "subject": ""}]}, FailureKind.SCHEMA, "subject"),
        ({"claims": [CLAIM] * (MAX_CLAIMS + 1)}, FailureKind.SCHEMA, "claims"),
        ({"claims": [{**CLAIM, "statement": "x" * 2001}]}, FailureKind.SCHEMA, "statement"),
    ],
)
def test_a_contribution_of_no_use_is_a_failure_that_says_why(value: Json, kind: FailureKind, says: str) -> None:
    found = read_contribution(value, "a", frozenset()) if isinstance(value, str) else written(value)
    assert isinstance(found, Failed)
    assert found.kind is kind
    assert says in found.message
    assert found.evidence


def test_a_moderators_word_is_read_and_a_result_that_does_not_fit_is_not() -> None:
    rulings: Json = [{"claims": ["c1", "c2"], "keep": "both", "reason": "of two years"}]
    found = merged({"result": {"n": 1}, "decided": True, "rulings": rulings, "question": "And?"})
    assert isinstance(found, Merge)
    assert (found.result, found.decided, found.rulings[0].keep, found.question) == ({"n": 1}, True, "both", "And?")
    wrong = merged({"result": {"n": "one"}})
    assert isinstance(wrong, Failed)
    assert (wrong.kind, wrong.output) == (FailureKind.SCHEMA, {"n": "one"})


def test_only_the_last_round_must_have_a_result() -> None:
    assert merged({"result": None, "decided": False}) == Merge(result=None)
    assert isinstance(merged({"result": None}, final=True), Failed)


def test_a_moderator_may_say_that_it_cannot_be_done() -> None:
    found = merged({"result": None, "cannot": {"code": "missing_input", "reason": "no rows"}}, final=True)
    assert isinstance(found, Failed)
    assert (found.kind, found.code, found.message) == (FailureKind.CANNOT, "missing_input", "no rows")


@pytest.mark.parametrize("schema", [claims_schema(), merge_schema(None), merge_schema(NUMBER)])
def test_what_is_asked_for_can_be_decoded_strictly(schema: JsonObject) -> None:
    assert strict_schema(schema) is not None
