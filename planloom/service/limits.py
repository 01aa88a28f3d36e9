"""Bounds of a service: sizes, times, and how much at the same time."""

from dataclasses import dataclass

from planloom.state.quotas import Quota


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one process lets its callers have; a tenant's quota may say less or more where it says so."""

    body_bytes: int = 1 << 20
    request_s: float = 30.0
    """Time for an answer to begin; streams go on."""
    run_s: float = 6 * 3600.0
    """Time a run is worked on; a workflow's own `budget.time` may be less."""
    max_runs: int = 64
    """Runs under way in this process."""
    max_runs_of_tenant: int = 16
    max_streams: int = 1000
    max_streams_of_tenant: int = 250
    requests_per_minute: int = 600
    """Of one tenant."""
    failed_logins_per_minute: int = 20
    """Of one address, and with one key's id; whoever was let in lately is not held up."""
    heartbeat_s: float = 15.0
    stream_s: float = 3600.0
    """After so long a stream ends, to be opened again where it stood."""
    send_s: float = 30.0
    """A client that takes nothing for so long is left."""

    def max_runs_under(self, quota: Quota) -> int:
        """Return how many runs a tenant of this quota may have under way."""
        return self.max_runs_of_tenant if quota.max_runs is None else quota.max_runs
