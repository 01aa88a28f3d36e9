"""Keys and quotas of a service, from the command line."""

import json
import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import asdict

import typer

from planloom.cli.words import plural
from planloom.configs.units import read_duration
from planloom.core.errors import ConfigError, Problem
from planloom.state.journal import Journal
from planloom.state.keys import ROLES, Keys
from planloom.state.place import place_of
from planloom.state.quotas import Quota, Quotas


@asynccontextmanager
async def journal_at(place: str | None) -> AsyncGenerator[Journal]:
    """Open the journal that a command line means."""
    async with Journal(place_of(place)) as journal:
        yield journal


async def create_key(place: str | None, *, tenant: str, role: str, note: str, lifetime: str | None) -> None:
    """Make a key and print it, this once.

    Raises:
        ConfigError: The life time is no duration.
    """
    lifetime_s = None if lifetime is None else _seconds(lifetime, "--lifetime")
    async with journal_at(place) as journal:
        typer.echo(await Keys(journal).create(tenant, ROLES[role], note=note, lifetime_s=lifetime_s))


async def list_keys(place: str | None, *, as_json: bool) -> None:
    """Print the keys, without their secrets."""
    async with journal_at(place) as journal:
        keys = await Keys(journal).list()
    for key in keys:
        state = "in force" if key.holds else "revoked" if key.revoked_at else "expired"
        if as_json:
            typer.echo(json.dumps({**asdict(key), "state": state}))
        else:
            typer.echo(f"{key.key_id}  {key.tenant}  {key.role}  {state}  {key.note}".rstrip())
    if not keys and not as_json:
        typer.echo("no keys; make one with: planloom keys create")


async def revoke_key(place: str | None, key_id: str) -> None:
    """Make a key open nothing any more.

    Raises:
        RunError: There is no such key.
    """
    async with journal_at(place) as journal:
        await Keys(journal).revoke(key_id)
    typer.echo(f"key {key_id} opens nothing any more")


async def set_quota(place: str | None, tenant: str, quota: Quota, period: str) -> None:
    """Set what a tenant may use.

    Raises:
        ConfigError: The period is no duration.
    """
    known = Quota(
        usd=quota.usd,
        period_s=_seconds(period, "--period"),
        requests_per_minute=quota.requests_per_minute,
        max_runs=quota.max_runs,
    )
    async with journal_at(place) as journal:
        await Quotas(journal).put(tenant, known)
    usd = "no cap on cost" if known.usd is None else f"{known.usd:g} USD in {period}"
    rate = known.requests_per_minute
    bounds = [
        usd,
        *([f"{rate} requests a minute"] if rate else []),
        *([plural(known.max_runs, "run")] if known.max_runs else []),
    ]
    typer.echo(f"{tenant}: {', '.join(bounds)}")


def _seconds(text: str, option: str) -> float:
    try:
        seconds = read_duration(text)
    except ValueError as exc:
        raise ConfigError("command line", [Problem(f"{exc}, found {text[:40]!r}", option)]) from exc
    if not 0 < seconds < math.inf:
        raise ConfigError("command line", [Problem(f"expected more than 0 seconds, found {text[:40]!r}", option)])
    return seconds
