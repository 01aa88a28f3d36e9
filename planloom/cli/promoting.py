"""`promote`: a run's plan as a workflow file."""

import asyncio
import math
from pathlib import Path

import typer

from planloom.cli.journals import journal_at
from planloom.cli.words import harmless
from planloom.engine import Engine
from planloom.promote import promote as promoted


async def promote(run_id: str, journal: str | None, output: Path | None) -> None:
    """Write the promoted workflow to a file or to standard output, and say what was done to its literals.

    Raises:
        RunError: There is no such run, or it is not done.
        ConfigError: Its workflow cannot be loaded any more.
    """
    async with Engine(journal=journal_at(journal), retention_s=math.inf) as engine:
        made = await promoted(engine, run_id, output)
    for line in made.report():
        typer.echo(harmless(line), err=True)
    if output is None:
        typer.echo(made.text, nl=False)
        return
    await asyncio.to_thread(output.write_text, made.text, encoding="utf-8")
    typer.echo(f"wrote {output}", err=True)
