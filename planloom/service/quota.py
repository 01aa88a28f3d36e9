"""What tenants have used: requests by the minute, US dollars by the period."""

import math
import time
from dataclasses import dataclass

from planloom.service.problems import Problem
from planloom.state.ledger import Amount, Caps, Ledger
from planloom.state.owners import Owners
from planloom.state.quotas import Quota, Quotas


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class Rates:
    """A bucket of requests for each tenant, filled again evenly; a full one holds a quarter of a minute's."""

    def __init__(self) -> None:
        self._buckets: dict[str, _Bucket] = {}

    def take(self, tenant: str, per_minute: int) -> None:
        """Take one request out.

        Raises:
            Problem: There is none left.
        """
        now, room = time.monotonic(), max(1.0, per_minute / 4)
        bucket = self._buckets.setdefault(tenant, _Bucket(room, now))
        bucket.left = min(room, bucket.left + (now - bucket.at) * per_minute / 60)
        bucket.at = now
        if bucket.left < 1:
            wait_s = math.ceil((1 - bucket.left) * 60 / per_minute)
            raise Problem(
                429,
                "too-many-requests",
                f"At most {per_minute} requests a minute.",
                headers={"Retry-After": str(wait_s)},
            )
        bucket.left -= 1


class Accounts:
    """One account for each tenant and period; every run of the tenant in this process pays from it."""

    def __init__(self, quotas: Quotas, owners: Owners) -> None:
        self.quotas = quotas
        self._owners = owners
        self._open: dict[tuple[str, float, float], Ledger] = {}

    async def of(self, tenant: str) -> Ledger | None:
        """Return a tenant's account as it stands; `None` for one without a cap."""
        quota = await self.quotas.of(tenant)
        if quota.usd is None:
            return None
        began = _period(quota)
        account = self._open.setdefault((tenant, began, quota.usd), Ledger(Caps(usd=quota.usd)))
        self._open = {key: kept for key, kept in self._open.items() if key[0] != tenant or key[1] == began}
        spent = await self._owners.spent_usd(tenant, began)
        account.spent = Amount(usd=spent, calls=0)  # other processes spend from it as well
        if spent >= quota.usd:
            left_s = math.ceil(began + quota.period_s - time.time())
            raise Problem(
                429,
                "budget-spent",
                f"{spent:.4f} of {quota.usd:g} USD are spent in this period.",
                headers={"Retry-After": str(max(1, left_s))},
            )
        return account


def _period(quota: Quota) -> float:
    return time.time() // quota.period_s * quota.period_s
