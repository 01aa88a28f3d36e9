"""How secrets are found again in what others make of them."""

import base64
import html
import json
import traceback
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planloom.core.errors import ConfigError, Problem
from planloom.core.outcome import Evidence, Failed, FailureKind
from planloom.core.secrets import MIN_CHARS, Secrets

KEY = 'sk-Ab"c/d+é\\nx~9 Z8q7w6e5r4'
PASSED_ON: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "json": json.dumps,
    "json in json": lambda key: json.dumps(json.dumps({"k": key})),
    "python": repr,
    "html": html.escape,
    "url": lambda key: quote(key, safe=""),
    "path": quote,
    "form": quote_plus,
    "hex": lambda key: key.encode().hex(),
    **{
        f"base64, {n} in": lambda key, n=n: base64.b64encode(b"x" * n + key.encode() + b"yz").decode() for n in range(4)
    },
    "url-safe base64": lambda key: base64.urlsafe_b64encode(key.encode()).decode(),
}


@pytest.mark.parametrize("how", PASSED_ON)
def test_a_secret_is_found_however_it_was_passed_on(how: str) -> None:
    told = PASSED_ON[how](KEY)
    shown = Secrets([KEY]).hide(f"before {told} after")
    assert "***" in shown
    assert KEY[-8:] not in shown
    assert shown.startswith("before ")
    assert Secrets([KEY]).found_in(json.dumps({"k": told}).encode())


@given(
    key=st.text(min_size=10, max_size=40).filter(lambda text: len(text.strip()) >= 10),
    before=st.binary(max_size=5),
    after=st.binary(max_size=5),
)
def test_base64_never_hides_one_whatever_stands_around_it(key: str, before: bytes, after: bytes) -> None:
    raw = key.strip().encode(errors="replace")
    told = base64.b64encode(before + raw + after).decode()
    assert "***" in Secrets([key]).hide(told)


def test_keys_records_and_tuples_are_looked_into_and_the_rest_stays_the_same_object() -> None:
    hidden = Secrets([KEY])
    failed = Failed(kind=FailureKind.CHECK, message=KEY, evidence=(Evidence(check="c", passed=False, found=KEY),))
    shown = hidden.hide(failed)
    assert (shown.kind, shown.message, shown.evidence[0].found) == (FailureKind.CHECK, "***", "***")
    assert hidden.hide({KEY: [1, None, (KEY, True)]}) == {"***": [1, None, ("***", True)]}
    clean = {"a": ["b", {"c": 1.5}]}
    assert hidden.hide(clean) is clean
    assert Secrets().hide(clean) is clean


def test_errors_are_cleaned_with_all_they_came_from() -> None:
    error = RuntimeError(f"bad {KEY}")
    error.__cause__ = ConfigError("w.yaml", [Problem(f"found {KEY}", "nodes")])
    error.__context__ = ExceptionGroup("two", [KeyError(KEY), ValueError(f"was {KEY}")])
    Secrets([KEY]).hide_error(error)
    told = "".join(traceback.format_exception(error)) + "".join(traceback.format_exception(error.__context__))
    assert "bad ***" in told
    assert told.count("***") == 4
    assert KEY not in told


def test_a_line_of_a_private_key_is_a_secret_and_a_short_value_is_none() -> None:
    line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC"
    hidden = Secrets([f"-----BEGIN PRIVATE KEY-----\n{line}\n-----END PRIVATE KEY-----\n"])
    assert hidden.hide(f"it says {line}!") == "it says ***!"
    assert hidden.hide("-----BEGIN PRIVATE KEY-----") == "-----BEGIN PRIVATE KEY-----"
    assert len(Secrets(["x" * (MIN_CHARS - 1), ""])) == 0


def test_the_values_are_not_shown() -> None:
    assert KEY not in f"{Secrets([KEY])!r}{Secrets([KEY])}"
