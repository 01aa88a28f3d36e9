"""What runs have kept, on the command line: listed, searched, forgotten, exported."""

import json
import math
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import typer

from planloom.cli.given import write_output
from planloom.cli.journals import journal_at
from planloom.cli.words import one_line
from planloom.configs.units import read_duration
from planloom.core.errors import ConfigError, Problem
from planloom.core.memory import Memory
from planloom.engine import Engine
from planloom.state.memories import Memories


@asynccontextmanager
async def _opened(journal: str | None, scope: str | None, tenant: str) -> AsyncGenerator[Memories]:
    async with Engine(journal=journal_at(journal), retention_s=math.inf) as engine:
        yield engine.memories(scope, tenant=tenant)


async def listed(journal: str | None, scope: str | None, tenant: str, *, limit: int, as_json: bool) -> None:
    """Print entries, newest first."""
    async with _opened(journal, scope, tenant) as memories:
        _print(await memories.all(limit=limit), as_json=as_json)


async def searched(
    journal: str | None, scope: str | None, tenant: str, query: str, *, limit: int, as_json: bool
) -> None:
    """Print the entries that fit a free text best."""
    async with _opened(journal, scope, tenant) as memories:
        _print(await memories.search(query, limit=limit), as_json=as_json)


async def forgotten(
    journal: str | None,
    scope: str | None,
    tenant: str,
    *,
    ids: Sequence[str] | None,
    run_id: str | None,
    older_than: str | None,
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
        gone = await memories.forget(ids, run_id=run_id, before=before)
    _print(gone, as_json=False)
    typer.echo(f"forgot {len(gone)} {'entry' if len(gone) == 1 else 'entries'}")


async def exported(journal: str | None, scope: str | None, tenant: str, output: Path | None) -> None:
    """Write entries as JSON, one a line."""
    async with _opened(journal, scope, tenant) as memories:
        lines = [json.dumps(asdict(memory), ensure_ascii=False) for memory in await memories.all()]
    write_output("\n".join(lines), output)


def _print(found: Sequence[Memory], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([asdict(memory) for memory in found], ensure_ascii=False))
        return
    for memory in found:
        on = datetime.fromtimestamp(memory.at).astimezone().isoformat(" ", "minutes")[:16]
        trust = f"  untrusted: {', '.join(memory.untrusted)}" if memory.untrusted else ""
        typer.echo(f"{memory.id}  {on}  {memory.namespace}  {memory.kind}  recalled {memory.recalls}x{trust}")
        typer.echo(f"    {one_line(memory.subject, 120)}: {one_line(memory.text, 200)}")
