"""The commands of the service. Each is a thin shell, as those in `app`."""

import asyncio
from enum import StrEnum
from typing import Annotated

import typer

from planloom.cli import options as opt
from planloom.cli.webhooks_app import webhooks
from planloom.core.errors import ConfigError, Problem


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(serve)
    app.command()(mcp)
    app.add_typer(keys, name="keys")
    app.add_typer(webhooks, name="webhooks")


keys = typer.Typer(no_args_is_help=True, help="Keys of a service's callers.", rich_markup_mode=None)


class KeyRole(StrEnum):
    """What the holder of a key may do."""

    VIEWER = "viewer"
    RUNNER = "runner"
    APPROVER = "approver"
    ADMIN = "admin"


Workflows = Annotated[
    list[str] | None,
    typer.Argument(metavar="[WORKFLOW|FOLDER]...", help="Files, folders of files, shipped names; else this folder."),
]
Tenant = Annotated[str, typer.Option(help="Whose runs it opens; `local` has those of the command line as well.")]


def serve(
    workflows: Workflows = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8000,
    journal: opt.Journal = None,
    rehearsal: opt.Rehearsal = None,
    base_url: opt.BaseUrl = None,
    drain: opt.Drain = 20.0,
    jwt_issuer: Annotated[str | None, typer.Option(metavar="ISS", help="Accept tokens of this issuer.")] = None,
    jwt_audience: Annotated[str | None, typer.Option(metavar="AUD", help="That are meant for this audience.")] = None,
    jwks_url: Annotated[str | None, typer.Option(metavar="URL", help="And signed by a key found there.")] = None,
    otel: opt.Otel = False,
    webhook: opt.Webhook = None,
    webhook_private: opt.WebhookPrivate = False,
    log_format: opt.LogFormat = None,
    log_level: opt.LogFrom = None,
) -> None:
    """Serve workflows over HTTP, with pages to watch runs. Runs are started and approved there: http://127.0.0.1:8000/.

    Without keys, for this machine alone.
    """
    from planloom.cli import given as read

    try:
        from planloom.cli import serving
    except ModuleNotFoundError as exc:
        message = f"it needs {exc.name}: pip install 'planloom[service]'"
        raise ConfigError("planloom serve", [Problem(message)]) from exc
    read.check_base_url(base_url)
    serving.serve(
        serving.Wishes(
            sources=workflows or ["."],
            host=host,
            port=port,
            journal=journal,
            rehearsal=read.find_script(rehearsal),
            base_url=base_url,
            drain_s=drain,
            issuer=jwt_issuer,
            audience=jwt_audience,
            jwks_url=jwks_url,
            otel=otel,
            webhooks=webhook or (),
            webhook_private=webhook_private,
            log=opt.LogWish(log_format, log_level),
        )
    )


def mcp(
    workflows: Workflows = None,
    journal: opt.Journal = None,
    rehearsal: opt.Rehearsal = None,
    base_url: opt.BaseUrl = None,
    log_format: opt.LogFormat = None,
    log_level: opt.LogFrom = None,
) -> None:
    """Offer workflows as MCP tools to a client that starts this. It speaks over standard input and output."""
    from planloom.cli import given as read

    try:
        from planloom.cli import mcp_serving
    except ModuleNotFoundError as exc:
        message = f"it needs {exc.name}: pip install 'planloom[mcp]'"
        raise ConfigError("planloom mcp", [Problem(message)]) from exc
    from planloom.cli.observing import logged, observers
    from planloom.cli.running import until_terminated
    from planloom.engine import Engine

    read.check_base_url(base_url)
    log = opt.LogWish(log_format, log_level)
    looking = observers(otel=False, logs=log.on)
    engine = Engine(journal=journal, rehearsal=read.find_script(rehearsal), base_url=base_url, observers=looking)
    with logged(log):
        raise typer.Exit(asyncio.run(until_terminated(mcp_serving.offer(engine, workflows or ["."]))))


@keys.command("create")
def create_key(
    role: Annotated[KeyRole, typer.Option(help="What its holder may do.")],
    tenant: Tenant = "local",
    note: Annotated[str, typer.Option(help="What it is for.")] = "",
    lifetime: Annotated[str | None, typer.Option(metavar="AGE", help="It expires after so long: 90d, 12h.")] = None,
    journal: opt.Journal = None,
) -> None:
    """Make a key and print it. It is shown this once: only a digest of it is kept."""
    from planloom.cli import keyring

    asyncio.run(keyring.create_key(journal, tenant=tenant, role=role.value, note=note, lifetime=lifetime))


@keys.command("list")
def list_keys(journal: opt.Journal = None, as_json: opt.AsJson = False) -> None:
    """List the keys, without their secrets."""
    from planloom.cli import keyring

    asyncio.run(keyring.list_keys(journal, as_json=as_json))


@keys.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As `planloom keys list` shows it.")],
    journal: opt.Journal = None,
) -> None:
    """Make a key open nothing any more, at once."""
    from planloom.cli import keyring

    asyncio.run(keyring.revoke_key(journal, key_id))


@keys.command("quota")
def set_quota(
    tenant: Annotated[str, typer.Argument(metavar="TENANT", help="Whose.")],
    usd: Annotated[float | None, typer.Option(min=0, help="US dollars in one period.")] = None,
    period: Annotated[str, typer.Option(metavar="AGE", help="Counted from midnight UTC for 1d.")] = "1d",
    requests_per_minute: Annotated[int | None, typer.Option(min=1, help="Requests.")] = None,
    max_runs: Annotated[int | None, typer.Option(min=0, help="Runs under way at the same time.")] = None,
    journal: opt.Journal = None,
) -> None:
    """Set what a tenant may use. What is left out is not bounded beyond the service's own limits."""
    from planloom.cli import keyring
    from planloom.state.quotas import Quota

    quota = Quota(usd=usd, requests_per_minute=requests_per_minute, max_runs=max_runs)
    asyncio.run(keyring.set_quota(journal, tenant, quota, period))
