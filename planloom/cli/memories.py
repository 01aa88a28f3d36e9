"""What runs have kept, on the command line: listed, searched, forgotten, taken from one journal to another."""

import asyncio
import json
import math
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import typer

from planloom.cli.embedding import Asked
from planloom.cli.given import write_output
from planloom.cli.journals import journal_at
from planloom.cli.words import one_line
from planloom.configs.units import read_duration
from planloom.core.errors import ConfigError, Problem
from planloom.core.memory import Memory
from planloom.engine import Engine
from planloom.graphs.near import Near, meaning
from planloom.models.gateway import Gateway
from planloom.state.memories import Memories
from planloom.state.memory_lines import memory_lines, read_memories
from planloom.state.place import Opening


@asynccontextmanager
async def _opened(
    journal: str | None, scope: str | None, tenant: str, opening: Opening = "current"
) -> AsyncGenerator[Memories]:
    async with Engine(journal=journal_at(journal, opening), retention_s=math.inf) as engine:
        yield engine.memories(scope, tenant=tenant)


async def listed(journal: str | None, scope: str | None, tenant: str, *, limit: int, as_json: bool) -> None:
    """Print entries, newest first."""
    async with _opened(journal, scope, tenant) as memories:
        _print(await memories.all(limit=limit), as_json=as_json)


async def searched(
    journal: str | None, scope: str | None, tenant: str, query: str, *, limit: int, as_json: bool, asked: Asked | None
) -> None:
    """Print the entries that fit a free text best, with how each was found.

    Raises:
        ConfigError: The embedding model cannot be asked.
    """
    async with _opened(journal, scope, tenant) as memories:
        found = Near()
        if asked is not None:
            query = asked.secrets.hide(query)
            async with Gateway() as gateway:
                rung = gateway.rung(asked.name, asked.spec, rehearsal=asked.script)
                await rung.open()
                found = await meaning(rung, memories, query)
        if found.warning:
            typer.echo(f"found by words alone: {found.warning}" if found.vector is None else found.warning, err=True)
        _print(await memories.search(query, limit=limit, near=found.vector), as_json=as_json)


async def forgotten(
    journal: str | None,
    scope: str | None,
    tenant: str,
    *,
    ids: Sequence[str] | None,
    run_id: str | None,
    older_than: str | None,
    source: str | None,
) -> None:
    """Delete entries and say which.

    Raises:
        ConfigError: `older_than` is no duration.
    """
    try:
        before = None if older_than is None else time.time() - read_duration(older_than)
    except ValueError as exc:
        raise ConfigError("command line", [Problem(f"{exc}, found {older_than!r:.40}", "--older-than")]) from exc
    async with _opened(journal, scope, tenant) as memories:
        gone = await memories.forget(ids, run_id=run_id, before=before, source=source)
    _print(gone, as_json=False)
    typer.echo(f"forgot {len(gone)} {'entry' if len(gone) == 1 else 'entries'}")


async def exported(journal: str | None, scope: str | None, tenant: str, output: Path | None) -> None:
    """Write entries as JSON, one a line."""
    async with _opened(journal, scope, tenant) as memories:
        lines = memory_lines(await memories.all())
    write_output("\n".join(lines), output)


async def imported(journal: str | None, scope: str | None, tenant: str, file: Path) -> None:
    """Take in entries that `exported` wrote, and say how many are new.

    Raises:
        ConfigError: The file holds something else; nothing was taken in.
    """
    entries = await asyncio.to_thread(read_memories, file)
    async with _opened(journal, scope, tenant, "make") as memories:
        new = await memories.take_in(entries)
    typer.echo(f"took in {new} of {len(entries)}; the others are there already, or have run out")


def _print(found: Sequence[Memory], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([asdict(memory) for memory in found], ensure_ascii=False))
        return
    if not found:
        typer.echo("nothing is kept that fits", err=True)
    for memory in found:
        on = datetime.fromtimestamp(memory.at).astimezone().isoformat(" ", "minutes")[:16]
        trust = f"  untrusted: {', '.join(memory.untrusted)}" if memory.untrusted else ""
        ways = f"  found by {' and '.join(memory.found_by)}" if memory.found_by else ""
        typer.echo(f"{memory.id}  {on}  {memory.namespace}  {memory.kind}  recalled {memory.recalls}x{ways}{trust}")
        typer.echo(f"    {one_line(memory.subject, 120)}: {one_line(memory.text, 200)}")
