"""The budget ledger: reserve the worst case before a call, settle what it really took after it."""

import asyncio
from dataclasses import dataclass

from planloom.core.errors import BudgetExceeded
from planloom.core.outcome import Usage

_ROUNDING_USD = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """Limits of one account; `None` is no limit."""

    usd: float | None = None
    tokens: int | None = None
    calls: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """What one call may take, or took."""

    usd: float = 0.0
    tokens: int = 0
    calls: int = 1

    @classmethod
    def of(cls, usage: Usage, cost_usd: float) -> "Amount":
        """Return what a finished call took."""
        return cls(usd=cost_usd, tokens=usage.tokens, calls=usage.calls)


class Ledger:
    """An account under a parent account: a reservation must fit under every cap on the way up.

    `spent` plus `reserved` never passes a cap. A reservation that would fit once calls under way have
    settled waits for them; one that can never fit fails at once.
    """

    def __init__(self, caps: Caps, *, parent: "Ledger | None" = None, spent: Amount | None = None) -> None:
        self.caps = caps
        self.parent = parent
        self.spent = spent or Amount(calls=0)
        self.reserved = Amount(calls=0)
        self._freed: asyncio.Event = parent._freed if parent else asyncio.Event()

    @property
    def capped(self) -> bool:
        """Whether any cap applies here or above."""
        return self.caps != Caps() or (self.parent is not None and self.parent.capped)

    async def reserve(self, amount: Amount) -> None:
        """Set `amount` aside, waiting for calls under way when they may free enough.

        Raises:
            BudgetExceeded: It does not fit beside what has been spent already.
        """
        while not self._fits(amount):
            self._freed.clear()
            await self._freed.wait()
        for account in self._chain():
            account.reserved = _add(account.reserved, amount)

    def settle(self, reserved: Amount, taken: Amount) -> None:
        """Give a reservation back and book what the call really took."""
        for account in self._chain():
            account.reserved = _add(account.reserved, reserved, sign=-1)
            if not account.reserved.calls and not account.reserved.tokens:
                account.reserved = Amount(calls=0)  # what rounding left behind must not block anyone
            account.spent = _add(account.spent, taken)
        self._freed.set()

    def book(self, taken: Amount) -> None:
        """Book what this account spent before a resume; those above it were there and have it."""
        self.spent = _add(self.spent, taken)

    def _chain(self) -> list["Ledger"]:
        return [self, *(self.parent._chain() if self.parent else [])]

    def _fits(self, amount: Amount) -> bool:
        """Tell whether it fits now; raise when it cannot fit even if every open call settles at nothing."""
        fits = True
        for account in self._chain():
            for limit, cap in (
                ("usd", account.caps.usd),
                ("tokens", account.caps.tokens),
                ("calls", account.caps.calls),
            ):
                if cap is None:
                    continue
                spent, held, more = (getattr(a, limit) for a in (account.spent, account.reserved, amount))
                if spent + more > cap + _ROUNDING_USD:
                    raise BudgetExceeded(limit, cap, spent + more)
                fits = fits and spent + held + more <= cap + _ROUNDING_USD
        return fits


def _add(left: Amount, right: Amount, sign: int = 1) -> Amount:
    return Amount(
        usd=left.usd + sign * right.usd,
        tokens=left.tokens + sign * right.tokens,
        calls=left.calls + sign * right.calls,
    )
