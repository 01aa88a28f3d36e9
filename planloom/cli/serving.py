"""The service from the command line."""

import asyncio
import ipaddress
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import typer
import uvicorn
from fastapi import FastAPI

from planloom.cli.given import source_of
from planloom.cli.keyring import journal_at
from planloom.cli.listening import listen_at
from planloom.cli.observing import logged, observers
from planloom.cli.options import LogWish
from planloom.configs.secrets import secrets_of_environment
from planloom.core.errors import ConfigError, Problem
from planloom.engine import Engine
from planloom.service.app import make_app
from planloom.service.caller import Authenticate, api_keys, this_machine
from planloom.service.catalogue import catalogue_of
from planloom.service.metrics import Metrics
from planloom.service.tokens import Issuer, tokens
from planloom.service.webhooks import webhooks_to
from planloom.state.keys import Keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What stands on the command line of `serve`."""

    sources: Sequence[str]
    host: str
    port: int
    journal: str | None
    rehearsal: Path | None
    base_url: str | None
    drain_s: float
    issuer: str | None
    audience: str | None
    jwks_url: str | None
    otel: bool
    webhooks: Sequence[str]
    webhook_private: bool
    log: LogWish


def serve(wishes: Wishes) -> None:
    """Serve workflows until told to end.

    Raises:
        ConfigError: A workflow must be mended first, nothing can listen there, nobody would have to show a key, or a
            webhook cannot be sent.
    """
    auth, webhooks = _auth(wishes), webhooks_to(wishes.webhooks, private=wishes.webhook_private)
    metrics = Metrics()
    looking = [metrics, *observers(otel=wishes.otel, logs=wishes.log.on)]
    engine = Engine(journal=wishes.journal, rehearsal=wishes.rehearsal, base_url=wishes.base_url, observers=looking)
    workflows = catalogue_of(source_of(given) for given in wishes.sources).values()
    app = make_app(
        engine,
        workflows,
        auth=auth,
        drain_s=wishes.drain_s,
        metrics=metrics,
        webhooks=webhooks,
    )
    secrets = secrets_of_environment(os.environ)
    for workflow in workflows:
        secrets |= workflow.secrets
    with logged(replace(wishes.log, secrets=secrets)), listen_at(wishes.host, wishes.port) as listening:
        port = listening.getsockname()[1]
        where = f"[{wishes.host}]" if ":" in wishes.host else wishes.host
        typer.echo(f"serving on http://{where}:{port}/v1, described at /openapi.json; stop with Ctrl-C")
        typer.echo(f"look at runs and start them at http://{where}:{port}/")
        if auth is this_machine:
            typer.echo("no keys are configured: only requests from this machine are answered (planloom keys create)")
        uvicorn.Server(_config(app, wishes)).run(sockets=[listening])


def _config(app: FastAPI, wishes: Wishes) -> uvicorn.Config:
    patience_s = math.ceil(wishes.drain_s) + 5
    if wishes.log.on:  # as everybody's records
        return uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=patience_s, server_header=False)
    return uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=patience_s, server_header=False)


def _auth(wishes: Wishes) -> Authenticate:
    named = {"--jwt-issuer": wishes.issuer, "--jwt-audience": wishes.audience, "--jwks-url": wishes.jwks_url}
    if wishes.issuer and wishes.audience and wishes.jwks_url:
        return tokens(Issuer(issuer=wishes.issuer, audience=wishes.audience, jwks_url=wishes.jwks_url))
    missing = [name for name, value in named.items() if not value]
    if len(missing) < len(named):
        raise ConfigError("command line", [Problem("is needed for tokens", name) for name in missing])
    if asyncio.run(_has_keys(wishes.journal)):
        return api_keys
    if not _is_loopback(wishes.host):
        message = (
            f"no keys are configured, so nobody but this machine may ask; {wishes.host} can be reached from others"
        )
        raise ConfigError("command line", [Problem(f"{message}. Make a key with: planloom keys create", "--host")])
    return this_machine


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _has_keys(place: str | None) -> bool:
    async with journal_at(place) as journal:
        return any(key.holds for key in await Keys(journal).list())
