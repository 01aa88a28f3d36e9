"""The fault matrix on docs/failures.md: it says what this table says, and each row's tests exist."""

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from planloom.core.outcome import FailureKind as Kind
from planloom.graphs.route import TABLE

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "failures.md").read_text(encoding="utf-8")
FILES = {
    "faults": "tests/models/test_gateway_faults.py",
    "calls": "tests/models/test_gateway_calls.py",
    "wire": "tests/models/test_gateway_wire.py",
    "shapes": "tests/models/test_gateway_shapes.py",
    "breaker": "tests/models/test_breaker.py",
    "run": "tests/walk/test_faults.py",
}
HEAD = (
    "| fault at the wire | what the gateway or the worker does | attempt ends as | router, in order | the user sees"
    " | tests |"
)


@dataclass(frozen=True)
class Row:
    fault: str
    does: str
    kind: Kind | None
    """`None`: the attempt goes on."""
    seen: str
    tests: tuple[str, ...]
    """As `file test`, the file by its key above."""

    @property
    def line(self) -> str:
        kind = f"`{self.kind}`" if self.kind else "goes on"
        steps = ", ".join(TABLE[self.kind]) if self.kind else "not asked"
        tests = ", ".join(f"{where}: `{name.removeprefix('test_')}`" for where, name in self.named)
        return f"| {self.fault} | {self.does} | {kind} | {steps} | {self.seen} | {tests} |"

    @property
    def named(self) -> list[tuple[str, str]]:
        return [(where, name) for where, _, name in (test.partition(" ") for test in self.tests)]


BACKOFF = "retries with jitter, doubling"
LOST = "may be billed: no retry of its own; the meter asks again under a new reservation, up to `retries` times"
ANSWERED = "`HOST answered HTTP STATUS: MESSAGE (after N retries)`"
ONCE = "`HOST answered HTTP STATUS: MESSAGE [CODE]`"
UNREADABLE = "`HOST sent a reply that cannot be read (DETAIL)`"
TIMED_OUT = "`no complete reply within N s`"
BROKEN = "faults test_a_reply_that_cannot_be_read_may_have_been_billed_and_is_left_to_the_caller"
RETRIED = "faults test_passing_faults_are_retried"
STAYS = "wire test_a_limit_that_stays_is_named_with_the_retries_made"
MEND = "wire test_what_only_the_user_can_mend_fails_at_once_in_the_providers_words"
USAGE = "calls test_missing_or_negative_usage_never_counts_as_nothing"
ENDED = "calls test_how_a_reply_ended_is_a_value_not_an_exception"
LOST_TEST = "faults test_a_connection_lost_after_the_request_may_have_been_billed_and_is_left_to_the_caller"
ODD_CALLS = "run test_calls_with_broken_arguments_or_equal_ids_are_answered_one_by_one"

ROWS = [
    Row(
        "429 with Retry-After in seconds",
        "retries after that pause",
        Kind.TRANSPORT,
        ANSWERED,
        ("wire test_a_retry_waits_as_many_seconds_as_the_server_asks", STAYS),
    ),
    Row(
        "429 with Retry-After as an HTTP date",
        "retries at that time",
        Kind.TRANSPORT,
        ANSWERED,
        ("wire test_a_retry_waits_until_the_date_the_server_names",),
    ),
    Row("429 without Retry-After", BACKOFF, Kind.TRANSPORT, ANSWERED, (RETRIED, STAYS)),
    Row(
        "Retry-After of an hour",
        "fails at once: at most 60 s are waited",
        Kind.TRANSPORT,
        "`... (it asks to wait 3600 s; at most 60 s are waited)`",
        ("faults test_a_pause_longer_than_a_minute_fails_at_once",),
    ),
    Row(
        "quota exhausted (429 `insufficient_quota`)",
        "fails at once",
        Kind.REJECTED,
        ONCE,
        ("faults test_an_exhausted_quota_is_not_retried",),
    ),
    Row(
        "500",
        f"{BACKOFF}; a JSON request is then tried in each other form once; circuit",
        Kind.TRANSPORT,
        ANSWERED,
        (
            RETRIED,
            "faults test_the_last_retry_names_the_servers_fault_and_host",
            "shapes test_a_server_that_only_fails_is_not_asked_for_ever",
        ),
    ),
    Row("502", f"{BACKOFF}; circuit", Kind.TRANSPORT, ANSWERED, (RETRIED,)),
    Row("503", f"{BACKOFF}; circuit", Kind.TRANSPORT, ANSWERED, (RETRIED,)),
    Row("529", f"{BACKOFF}; circuit", Kind.TRANSPORT, ANSWERED, (RETRIED,)),
    Row(
        "connect refused",
        f"{BACKOFF}; circuit",
        Kind.TRANSPORT,
        "`the connection to HOST failed: DETAIL`",
        ("faults test_a_dead_port_is_named", "breaker test_a_dead_port_fails_fast_until_a_server_is_up_on_it"),
    ),
    Row(
        "reset before the reply",
        f"{LOST}; circuit",
        Kind.TRANSPORT,
        "`the connection to HOST failed: DETAIL`",
        (
            LOST_TEST,
            "run test_a_connection_lost_before_the_reply_is_asked_again_under_a_reservation_of_its_own",
        ),
    ),
    Row(
        "reset in the middle of a stream",
        "not started again; may be billed; circuit",
        Kind.TRANSPORT,
        "`the connection to HOST failed: DETAIL`",
        (
            "faults test_a_stream_that_breaks_after_text_was_handed_out_is_not_started_again",
            "breaker test_streams_count_too",
        ),
    ),
    Row(
        "stalled stream",
        "stops at `timeout`; may be billed; circuit",
        Kind.TIMEOUT,
        TIMED_OUT,
        ("wire test_a_stream_that_stalls_ends_at_the_deadline",),
    ),
    Row(
        "slow headers",
        "stops at `timeout`; may be billed; circuit",
        Kind.TIMEOUT,
        TIMED_OUT,
        (
            "faults test_headers_that_never_come_end_at_the_deadline",
            "breaker test_timeouts_in_a_row_open_the_circuit",
        ),
    ),
    Row(
        "dripping body",
        "stops at `timeout`, which is for the whole call; may be billed; circuit",
        Kind.TIMEOUT,
        TIMED_OUT,
        ("faults test_a_dripping_body_ends_at_the_deadline",),
    ),
    Row("empty body", LOST, Kind.TRANSPORT, UNREADABLE, (BROKEN,)),
    Row("broken JSON", LOST, Kind.TRANSPORT, UNREADABLE, (BROKEN,)),
    Row("empty or missing choices", LOST, Kind.TRANSPORT, UNREADABLE, (BROKEN,)),
    Row(
        "stream without an event",
        LOST,
        Kind.TRANSPORT,
        "`HOST sent an empty stream`",
        ("wire test_a_stream_of_nothing_may_have_been_billed",),
    ),
    Row(
        "reply that ends without a finish_reason",
        f"{LOST}; its tool calls are not made",
        Kind.TRANSPORT,
        "`the reply ends without a finish_reason, so it may be cut off`",
        (
            "faults test_a_reply_without_a_finish_reason_is_never_taken_for_whole",
            "run test_a_call_in_a_reply_without_a_finish_reason_is_never_made",
        ),
    ),
    Row(
        "stream that ends without a finish_reason, also inside tool arguments",
        "may be billed; its tool calls are not made",
        Kind.TRANSPORT,
        "`the reply ends without a finish_reason, so it may be cut off`",
        (
            "faults test_a_stream_without_a_finish_reason_is_an_error_even_with_a_clean_end",
            "calls test_cut_arguments_in_a_stream_are_not_completed",
        ),
    ),
    Row("missing usage", "estimates it from the bytes, never as 0", None, "an estimated cost", (USAGE,)),
    Row("negative usage", "estimates it from the bytes, never as 0", None, "an estimated cost", (USAGE,)),
    Row(
        "refusal",
        "hands it on as a value",
        Kind.REFUSAL,
        "the refusal's text",
        (ENDED, "run test_a_refusal_goes_up_the_ladder_and_then_to_a_human"),
    ),
    Row(
        "content filter",
        "hands it on as a value",
        Kind.REFUSAL,
        "the text so far, or `the model refused`",
        (ENDED, "run test_a_refusal_goes_up_the_ladder_and_then_to_a_human"),
    ),
    Row(
        "`length`",
        "asks once for a shorter reply; tool calls in it are not made",
        Kind.LENGTH,
        "`the reply was cut off at its cap twice`",
        (
            "calls test_a_cut_reply_hands_out_no_tool_calls",
            "run test_a_reply_cut_off_twice_goes_up_the_ladder",
        ),
    ),
    Row(
        "tool call with invalid arguments",
        "answers the call with the error; not made",
        None,
        "the dialogue's next turn",
        ("calls test_arguments_that_are_no_object_are_kept_as_text_only", ODD_CALLS),
    ),
    Row(
        "duplicate call ids",
        "gives each call an id of its own",
        None,
        "the dialogue's next turn",
        ("calls test_calls_with_the_same_id_get_ids_of_their_own", ODD_CALLS),
    ),
    Row(
        "unknown tool",
        "answers the call with the error; not made",
        None,
        "the dialogue's next turn",
        ("run test_an_unknown_tool_goes_back_to_the_model_as_an_error",),
    ),
    Row(
        "500 tool calls at once",
        "makes the first 16, answers the others with an error",
        None,
        "the dialogue's next turn",
        ("run test_of_five_hundred_calls_at_once_sixteen_are_made",),
    ),
    Row(
        "wrong schema",
        "one repair with the validator's words (`repair`)",
        Kind.SCHEMA,
        "`output.n: expected ..., found ...`",
        ("run test_a_wrong_schema_is_repaired_once_and_then_goes_up_the_ladder",),
    ),
    Row(
        "huge reply",
        "stops reading after 64 MiB; may be billed",
        Kind.LENGTH,
        "`the reply of HOST is longer than N bytes; the rest was not read`",
        ("wire test_a_huge_reply_is_not_read_to_its_end", "wire test_a_huge_stream_is_not_read_to_its_end"),
    ),
    Row(
        "reply compressed although it was not asked for",
        "not unpacked, since it could unfold without end; may be billed",
        Kind.REJECTED,
        "`HOST sent a reply compressed with 'gzip', which was not asked for`",
        ("wire test_a_reply_is_not_unpacked_when_it_comes_compressed_unasked",),
    ),
    Row(
        "certificate error",
        "fails at once",
        Kind.REJECTED,
        "`the connection to HOST failed: ... certificate verify failed: REASON`",
        (
            "wire test_a_certificate_that_nobody_trusts_fails_at_once",
            "wire test_a_certificate_of_ones_own_is_trusted_through_the_environment",
        ),
    ),
    Row(
        "expired or wrong key (401)",
        "fails at once; the key is taken out of the message",
        Kind.REJECTED,
        ONCE,
        (
            MEND,
            "faults test_the_key_never_shows_in_an_error",
            "run test_a_wrong_key_is_not_tried_twice_on_a_rung_nor_planned_around",
        ),
    ),
    Row("unknown model (404)", "fails at once", Kind.REJECTED, ONCE, (MEND,)),
    Row("context length exceeded (400)", "fails at once", Kind.REJECTED, ONCE, (MEND,)),
    Row(
        "provider that is down for long",
        "circuit open: fails at once, one probe after each pause",
        Kind.TRANSPORT,
        "`circuit open, next try in N s (last: MESSAGE)`",
        (
            "breaker test_a_dead_port_fails_fast_until_a_server_is_up_on_it",
            "breaker test_calls_at_once_make_no_more_tries_than_fit_beside_each_other",
            "run test_a_dead_provider_costs_forty_nodes_a_few_tries_and_not_forty_times_the_retries",
        ),
    ),
]


@cache
def names_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return frozenset(item.name for item in tree.body if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.fault)
def test_each_row_of_the_matrix_stands_on_the_page_and_its_tests_exist(row: Row) -> None:
    assert row.line in PAGE.splitlines()
    assert row.tests
    for where, name in row.named:
        assert name in names_in(FILES[where])


def test_the_page_has_no_rows_that_nothing_tests() -> None:
    lines = PAGE.splitlines()
    start = lines.index(HEAD) + 2
    table = lines[start : lines.index("", start)]
    assert table == [row.line for row in ROWS]


def test_the_page_says_where_the_tests_are() -> None:
    for where, path in FILES.items():
        assert f"- {where}: `{path}`" in PAGE
