"""The commands over what runs have kept for later ones. Each is a thin shell, as those in `app`."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from planloom.cli import options as opt

memory = typer.Typer(no_args_is_help=True, help="What runs have kept for later ones.", rich_markup_mode=None)

Scope = Annotated[
    str | None, typer.Option(metavar="NAME", help="A workflow's name, or the `scope` of its memory; else all.")
]
Tenant = Annotated[str, typer.Option(help="Of this tenant of a service.")]
Limit = Annotated[int, typer.Option(min=1, max=100_000, help="How many at most.")]


@memory.command("list")
def list_(
    scope: Scope = None,
    tenant: Tenant = "",
    limit: Limit = 50,
    journal: opt.Journal = None,
    as_json: opt.AsJson = False,
) -> None:
    """List entries, newest first."""
    from planloom.cli import memories

    asyncio.run(memories.listed(journal, scope, tenant, limit=limit, as_json=as_json))


@memory.command()
def search(
    query: Annotated[str, typer.Argument(help="Free text.")],
    scope: Scope = None,
    tenant: Tenant = "",
    limit: Limit = 10,
    workflow: Annotated[
        str | None,
        typer.Option("--workflow", "-w", metavar="FILE", help="Look where it keeps, with the model it embeds with."),
    ] = None,
    embed: Annotated[
        str | None, typer.Option("--embed", metavar="MODEL", help="Find by meaning too, with openai:NAME.")
    ] = None,
    base_url: opt.BaseUrl = None,
    rehearsal: opt.Rehearsal = None,
    journal: opt.Journal = None,
    as_json: opt.AsJson = False,
) -> None:
    """Find entries as a run would, best fit first. How each was found is told."""
    from planloom.cli import memories
    from planloom.cli.embedding import asked_by, scope_of
    from planloom.cli.given import load_workflow

    loaded = load_workflow(workflow) if workflow is not None else None
    asked = asked_by(loaded, embed, base_url=base_url, rehearsal=rehearsal)
    scope = scope or (scope_of(loaded) if loaded else None)
    asyncio.run(memories.searched(journal, scope, tenant, query, limit=limit, as_json=as_json, asked=asked))


@memory.command()
def forget(
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID...", help="Entries, as `list` names them.")] = None,
    run_id: Annotated[str | None, typer.Option("--run", metavar="RUN", help="What this run kept, by its id.")] = None,
    older_than: Annotated[
        str | None, typer.Option("--older-than", metavar="AGE", help="What was kept longer ago: 30d, 12h.")
    ] = None,
    source: Annotated[
        str | None, typer.Option("--source", metavar="NAME", help="What may hold text of this tool or input.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All of it.")] = False,
    scope: Scope = None,
    tenant: Tenant = "",
    journal: opt.Journal = None,
) -> None:
    """Delete entries; of several conditions all must hold."""
    from planloom.cli import memories

    if not (ids or run_id or older_than or source or everything):
        raise typer.BadParameter("name entries, or give --run, --older-than, --source or --all", param_hint="ID")
    named = ids or None
    asyncio.run(
        memories.forgotten(journal, scope, tenant, ids=named, run_id=run_id, older_than=older_than, source=source)
    )


@memory.command()
def export(
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="As --output.")] = None,
    scope: Scope = None,
    tenant: Tenant = "",
    journal: opt.Journal = None,
    output: opt.Output = None,
) -> None:
    """Write entries as JSON, one a line, newest first."""
    from planloom.cli import memories
    from planloom.cli.given import check_output

    if file is not None and output is not None:
        raise typer.BadParameter("name one file, as FILE or with --output", param_hint="FILE")
    output = file or output
    check_output(output)
    asyncio.run(memories.exported(journal, scope, tenant, output))


@memory.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `export` wrote.")],
    scope: Annotated[
        str | None, typer.Option(metavar="NAME", help="Take all in under this name; else each under its own.")
    ] = None,
    tenant: Annotated[str, typer.Option(help="For this tenant of a service.")] = "",
    journal: opt.Journal = None,
) -> None:
    """Take in entries of another journal. What is there and at least as new stays."""
    from planloom.cli import memories

    asyncio.run(memories.imported(journal, scope, tenant, file))
