"""What a panel's voices are asked for as JSON, and how their replies are read."""

from typing import cast

from planloom.agents.prompting import clip
from planloom.agents.worker import schema_evidence
from planloom.core.board import ClaimId, Contribution, Draft, Merge, Ruling
from planloom.core.json import Json, JsonObject, clean, closed
from planloom.core.outcome import Evidence, Failed, FailureKind
from planloom.models.text import extract_json

MAX_CLAIMS = 20
"""Of one member in one round."""
_VALUE_CHARS = 4000
_TEXT: JsonObject = {"type": "string"}
_MAYBE_TEXT: JsonObject = {"anyOf": [{"type": "string"}, {"type": "null"}]}
_CANNOT_CODES = ("missing_input", "missing_tool", "contradiction", "other")

FORM = (
    'One JSON object: `{"claims": [{"subject": "...", "statement": "...", "value": VALUE or null, "confidence": 0 to 1'
    ' or null, "sources": ["..."], "supersedes": ID or null}], "endorses": [ID, ...], "withdraws": [ID, ...]}`.'
)
MERGE_FORM = (
    'One JSON object: `{"result": RESULT, "decided": true or false, "rulings": [{"claims": [ID, ID], "keep": ID or'
    ' "both", "reason": "..."}], "question": "...", "cannot": null}`. If the goal cannot be reached at all, `result` is'
    f' null and `cannot` is `{{"code": CODE, "reason": "..."}}` with CODE one of {", ".join(_CANNOT_CODES)}.'
)


def claims_schema() -> JsonObject:
    """Return the schema that a member's reply is asked for in: strict decoding takes it."""
    value: Json = [{"type": "number"}, {"type": "boolean"}, {"type": "string"}, {"type": "null"}]
    claim = closed(
        {
            "subject": _TEXT,
            "statement": _TEXT,
            "value": {"anyOf": value},
            "confidence": {"anyOf": [{"type": "number"}, {"type": "null"}]},
            "sources": {"type": "array", "items": _TEXT},
            "supersedes": _MAYBE_TEXT,
        }
    )
    ids: JsonObject = {"type": "array", "items": _TEXT}
    return closed({"claims": {"type": "array", "items": claim}, "endorses": ids, "withdraws": ids})


def merge_schema(result: JsonObject | None) -> JsonObject:
    """Return the schema that a moderator's reply is asked for in."""
    ruling = closed({"claims": {"type": "array", "items": _TEXT}, "keep": _TEXT, "reason": _TEXT})
    cannot = closed({"code": {"type": "string", "enum": [*_CANNOT_CODES]}, "reason": _TEXT})
    return closed(
        {
            "result": {"anyOf": [result if result is not None else _TEXT, {"type": "null"}]},
            "decided": {"type": "boolean"},
            "rulings": {"type": "array", "items": ruling},
            "question": _TEXT,
            "cannot": {"anyOf": [cannot, {"type": "null"}]},
        }
    )


_BOUNDED: JsonObject = {"type": "string", "minLength": 1, "maxLength": 2000}
_STRINGS: JsonObject = {"type": "array", "items": _TEXT, "maxItems": 1000}
_CLAIMS: JsonObject = {
    "type": "object",
    "properties": {
        "claims": {
            "type": "array",
            "maxItems": MAX_CLAIMS,
            "items": {
                "type": "object",
                "properties": {
                    "subject": {**_BOUNDED, "maxLength": 200},
                    "statement": _BOUNDED,
                    "confidence": {"type": ["number", "null"]},
                    "sources": _STRINGS,
                    "supersedes": _MAYBE_TEXT,
                },
                "required": ["subject", "statement"],
            },
        },
        "endorses": _STRINGS,
        "withdraws": _STRINGS,
    },
    "required": ["claims"],
}
"""What a reply must have to be of use; more is asked for."""
_MERGE: JsonObject = {
    "type": "object",
    "properties": {
        "decided": {"type": "boolean"},
        "rulings": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "claims": {"type": "array", "items": _TEXT, "minItems": 2, "maxItems": 2},
                    "keep": _TEXT,
                    "reason": _TEXT,
                },
                "required": ["claims", "keep"],
            },
        },
        "question": {"type": ["string", "null"]},
        "cannot": {"type": ["object", "null"]},
    },
    "required": ["result"],
}


def read_contribution(text: str, author: str, known: frozenset[str]) -> Contribution | Failed:
    """Read a member's reply.

    Args:
        text: The reply.
        author: Who wrote it.
        known: Sources it really had, besides claims.
    """
    value = _read_object(text, _CLAIMS)
    if isinstance(value, Failed):
        return value
    return Contribution(
        author=author,
        claims=tuple(_draft(item) for item in _objects(value.get("claims"))),
        endorses=_strings(value.get("endorses")),
        withdraws=_strings(value.get("withdraws")),
        known=known,
    )


def _draft(item: JsonObject) -> Draft:
    confidence, supersedes = item.get("confidence"), item.get("supersedes")
    sure = isinstance(confidence, int | float) and not isinstance(confidence, bool)
    return Draft(
        subject=str(item["subject"]).strip(),
        statement=str(item["statement"]).strip(),
        value=clip(item.get("value"), _VALUE_CHARS),
        confidence=min(1.0, max(0.0, float(cast(float, confidence)))) if sure else None,
        sources=_strings(item.get("sources")),
        supersedes=supersedes if isinstance(supersedes, str) and supersedes else None,
    )


def read_merge(text: str, schema: JsonObject | None, *, final: bool) -> Merge | Failed:
    """Read a moderator's reply.

    Args:
        text: The reply.
        schema: Of the result; `None` for plain text.
        final: A reply without a result is of no use.
    """
    value = _read_object(text, _MERGE)
    if isinstance(value, Failed):
        return value
    result, cannot = value["result"], value.get("cannot")
    if result is None and isinstance(cannot, dict):
        code = str(cannot.get("code", ""))
        reason = str(cannot.get("reason", ""))[:500] or code
        return Failed(kind=FailureKind.CANNOT, message=reason, code=code if code in _CANNOT_CODES else "other")
    if (result is not None or final) and (problems := schema_evidence(result, schema or _TEXT)):
        return _misfit(problems, result)
    return Merge(
        result=result,
        decided=value.get("decided") is True,
        rulings=tuple(_ruling(item) for item in _objects(value.get("rulings"))),
        question=str(value.get("question") or "")[:2000],
    )


def _ruling(item: JsonObject) -> Ruling:
    one, other = _strings(item["claims"])
    return Ruling(
        claims=(ClaimId(one), ClaimId(other)), keep=str(item["keep"]), reason=str(item.get("reason", ""))[:1000]
    )


def _read_object(text: str, schema: JsonObject) -> JsonObject | Failed:
    try:
        value = clean(extract_json(text))
    except ValueError as exc:
        evidence = Evidence(check="json", passed=False, expected="one JSON object", found=text[:300], where=str(exc))
        return Failed(kind=FailureKind.UNPARSEABLE, message=f"the reply is not JSON: {exc}", evidence=(evidence,))
    problems = schema_evidence(value, schema)
    return value if isinstance(value, dict) and not problems else _misfit(problems, value)


def _misfit(problems: list[Evidence], value: Json) -> Failed:
    first = problems[0]
    message = f"{first.where}: expected {first.expected}, found {first.found}"
    return Failed(kind=FailureKind.SCHEMA, message=message, evidence=tuple(problems), output=value)


def _objects(value: Json) -> list[JsonObject]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _strings(value: Json) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()
