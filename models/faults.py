"""What goes wrong with one call to a provider, and whether to try again. Never leaves this folder."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from planloom.core.outcome import FailureKind

RETRY_AFTER_CAP_S = 60.0
"""A server that wants a longer pause than this is not waited for."""
MESSAGE_CAP = 500
"""Characters of a provider's message that are kept."""

_RETRIED = frozenset({408, 409, 425, 429})
_QUOTA = ("insufficient_quota", "billing_hard_limit", "exceeded your current quota", "billing_not_active")
_SHAPE = re.compile(
    r"response_format|json_schema|json_object|json mode|structured|grammar|schema|text\.format|tool_choice",
    re.IGNORECASE,
)
_ELSE = re.compile(
    r"context|too long|too many tokens|max_tokens|max_completion_tokens|api key|quota|billing"
    r"|model .*(not found|not exist)",
    re.IGNORECASE,
)


class Fault(Exception):
    """One call failed. The rung decides whether to call again."""

    def __init__(
        self,
        kind: FailureKind,
        message: str,
        *,
        retry: bool = False,
        status: int = 0,
        retry_after_s: float | None = None,
        free: bool = False,
        lost: bool = False,
        unreached: bool = False,
        spared: bool = False,
    ) -> None:
        self.kind = kind
        self.message = message
        self.retry = retry
        self.status = status
        self.retry_after_s = retry_after_s
        self.free = free
        """Call again at once; it does not count as a retry."""
        self.lost = lost
        """What the provider may have billed although no reply arrived."""
        self._unreached = unreached
        self.spared = spared
        """It says nothing of whether the provider is down, whatever its kind."""
        super().__init__(message)

    @property
    def down(self) -> bool:
        """Whether the provider seems to be down: unreachable, silent, or failing on any request."""
        if self.spared:
            return False
        return self._unreached or self.kind is FailureKind.TIMEOUT or (self.status >= 500 and not self.shape)

    def spare(self) -> "Fault":
        """Return the same fault where it says nothing of whether the provider is down."""
        return Fault(
            self.kind,
            self.message,
            retry=self.retry,
            status=self.status,
            retry_after_s=self.retry_after_s,
            free=self.free,
            lost=self.lost,
            spared=True,
        )

    @property
    def shape(self) -> bool:
        """Whether the server complains about how structured output was asked for."""
        if self.message.endswith("[unscripted]"):
            return False
        if self.status in (400, 422, 501):
            return bool(_SHAPE.search(self.message)) or not _ELSE.search(self.message)
        return self.status in (404, 500) and bool(_SHAPE.search(self.message))


def status_fault(status: int, message: str, host: str, headers: Mapping[str, str]) -> Fault:
    """Return the fault for an answer with HTTP status `status` and the provider's `message`."""
    text = f"{host} answered HTTP {status}: {message.strip() or 'no message'}"
    if any(mark in message for mark in _QUOTA):
        return Fault(FailureKind.REJECTED, text, status=status)
    if status not in _RETRIED and status < 500:
        return Fault(FailureKind.REJECTED, text, status=status)
    pause = retry_after(headers)
    if pause is not None and pause > RETRY_AFTER_CAP_S:
        text += f" (it asks to wait {pause:.0f} s; at most {RETRY_AFTER_CAP_S:.0f} s are waited)"
        return Fault(FailureKind.TRANSPORT, text, status=status, retry_after_s=pause)
    return Fault(FailureKind.TRANSPORT, text, retry=True, status=status, retry_after_s=pause)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Read Retry-After, in seconds or as an HTTP date; `None` when absent or unreadable."""
    value = headers.get("retry-after", "").strip()
    try:
        if headers.get("retry-after-ms"):
            return max(0.0, float(headers["retry-after-ms"]) / 1000)
        return max(0.0, float(value)) if value else None
    except ValueError:
        return _until(value)


def _until(value: str) -> float | None:
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())
