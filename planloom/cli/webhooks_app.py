"""The commands about webhooks that did not arrive."""

import asyncio
import json
import time
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer

from planloom.cli import options as opt

webhooks = typer.Typer(no_args_is_help=True, help="Webhooks that did not arrive.", rich_markup_mode=None)


@webhooks.command("list")
def list_webhooks(journal: opt.Journal = None, as_json: opt.AsJson = False) -> None:
    """List what receivers have not taken. Due ones are tried again, dead ones were given up."""
    from planloom.cli.keyring import journal_at
    from planloom.state.deliveries import Outstanding, outstanding

    async def read() -> list[Outstanding]:
        async with journal_at(journal) as opened:
            return await outstanding(opened)

    for item in asyncio.run(read()):
        if as_json:
            typer.echo(json.dumps(asdict(item)))
            continue
        at = datetime.fromtimestamp(item.at).astimezone().isoformat(timespec="seconds")
        told = f"{item.state}  {at}  run {item.run_id}  event {item.seq}  tries {item.tries}"
        typer.echo(f"{told}  receiver {item.endpoint[:8]}")


@webhooks.command("resend")
def resend_webhooks(
    run_id: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="All of this run, by its whole id; else all dead ones.")
    ] = None,
    journal: opt.Journal = None,
) -> None:
    """Have webhooks sent again, under the same ids. The servers that are up do it, or the next that starts."""
    from planloom.cli.keyring import journal_at
    from planloom.cli.words import plural
    from planloom.state.deliveries import send_again

    async def change() -> int:
        async with journal_at(journal) as opened:
            return await send_again(opened, run_id, time.time())

    typer.echo(f"{plural(asyncio.run(change()), 'webhook')} will be sent again")
