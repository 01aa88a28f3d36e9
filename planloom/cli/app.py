"""The commands. Each is a thin shell: what it needs is imported when it is called."""

import asyncio
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from planloom.cli import memory_app, plan_app, quality_app, run_app, service_app
from planloom.cli import options as opt

app = typer.Typer(
    name="planloom",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Format(StrEnum):
    """How a plan is drawn."""

    MERMAID = "mermaid"
    SVG = "svg"
    TEXT = "text"


class Shown(StrEnum):
    """How a run is shown."""

    TEXT = "text"
    SVG = "svg"
    HTML = "html"


class Over(StrEnum):
    """How a run stands that nothing works on."""

    DONE = "done"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"
    WAITING = "waiting"
    INTERRUPTED = "interrupted"


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"planloom {version('planloom')}")
        raise typer.Exit


@app.callback()
def planloom(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """A big model plans a graph, mini models run its nodes, a router escalates on evidence."""


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder, made when it is not there.")] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that are there.")] = False,
) -> None:
    """Write a small project that runs at once. A workflow, a tool, a rehearsal script."""
    from planloom.cli.init import write_project

    write_project(folder, force=force)


run_app.add_to(app)


@app.command()
def validate(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Workflow files.")],
    as_json: opt.AsJson = False,
) -> None:
    """Check workflows without running them. Every problem is shown as file:line:column: field: message."""
    from planloom.cli import checking

    raise typer.Exit(asyncio.run(checking.validate(files, as_json=as_json)))


app.command()(plan_app.explain)


app.command()(plan_app.lint)


@app.command()
def graph(
    target: Annotated[str, typer.Argument(metavar="FILE|RUN", help="Workflow file or name, or a run.")],
    style: Annotated[Format, typer.Option("--format", "-f", help="How it is drawn.")] = Format.MERMAID,
    output: opt.Output = None,
    journal: opt.Journal = None,
) -> None:
    """Draw a plan; a run's nodes are coloured by their state."""
    from planloom.cli import checking, draw
    from planloom.cli.given import check_output, write_output

    check_output(output)
    picture = checking.picture(target, journal)
    match style:
        case Format.MERMAID:
            text = draw.as_mermaid(picture)
        case Format.SVG:
            text = draw.as_svg(picture)
        case Format.TEXT:
            text = draw.as_text(picture)
    write_output(text, output)


@app.command()
def show(
    run_id: opt.RunId,
    events: Annotated[bool, typer.Option("--events", help="List the events in place of the record.")] = False,
    plan: Annotated[bool, typer.Option("--plan", help="Print the plan as YAML, to be edited.")] = False,
    style: Annotated[
        Shown, typer.Option("--format", "-f", help="The record as text, or its time line as a picture or a page.")
    ] = Shown.TEXT,
    output: opt.Output = None,
    journal: opt.Journal = None,
    as_json: opt.AsJson = False,
) -> None:
    """Show the record of a run. Nodes, attempts, evidence, decisions, cost, time line, output."""
    if plan:
        from planloom.cli import approving
        from planloom.cli.given import check_output

        check_output(output)
        asyncio.run(approving.print_plan(run_id, journal, output))
        return
    from planloom.cli import records
    from planloom.cli.given import check_output, write_output

    if style is Shown.TEXT:
        if output is not None:
            raise typer.BadParameter("goes with --format svg or html", param_hint="--output")
        asyncio.run(records.show(run_id, journal, events=events, as_json=as_json))
        return
    if events or as_json:
        raise typer.BadParameter("goes with neither --events nor --json", param_hint="--format")
    check_output(output)
    write_output(asyncio.run(records.draw(run_id, journal, html=style is Shown.HTML)), output)


@app.command()
def runs(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, newest first.")] = 20,
    journal: opt.Journal = None,
    as_json: opt.AsJson = False,
) -> None:
    """List the runs in the journal."""
    from planloom.cli import records

    asyncio.run(records.runs(limit, journal, as_json=as_json))


@app.command()
def artifact(
    run_id: opt.RunId,
    digest: Annotated[str, typer.Argument(metavar="DIGEST", help="sha256:... as the record of the run has it.")],
    output: opt.Output = None,
    journal: opt.Journal = None,
) -> None:
    """Print a large value of a run, or write it to a file. Its models were shown it as a handle."""
    from planloom.cli import records
    from planloom.cli.given import check_output

    check_output(output)
    asyncio.run(records.artifact(run_id, digest, journal, output))


@app.command()
def rehearse(
    script: Annotated[Path, typer.Argument(metavar="SCRIPT", help="Rehearsal script, or the name of a shipped one.")],
    serve: Annotated[bool, typer.Option("--serve", help="Serve it as an OpenAI-compatible server.")] = False,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8001,
) -> None:
    """Check a rehearsal script, or serve it on a port. Checking lists its rules."""
    from planloom.cli import rehearsing

    rehearsing.rehearse(script, serve=serve, host=host, port=port)


app.command()(plan_app.promote)


quality_app.add_to(app)


service_app.add_to(app)


app.add_typer(memory_app.memory, name="memory")


@app.command()
def schema(output: opt.Output = None) -> None:
    """Print the JSON Schema of workflow files, for editors."""
    import json

    from planloom.cli.given import check_output, write_output
    from planloom.configs.schema import workflow_schema

    check_output(output)
    write_output(json.dumps(workflow_schema(), indent=2, ensure_ascii=False), output)


@app.command()
def lock(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Workflow file.")],
) -> None:
    """Write down what a workflow's MCP servers offer. It stands beside the file, and later changes are refused."""
    from planloom.cli import checking

    asyncio.run(checking.lock(file))


@app.command()
def gc(
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="AGE", help="Age since a run's end: 30d, 12h, 0.")
    ] = "30d",
    keep: Annotated[int, typer.Option(min=0, metavar="N", help="Keep the N newest runs, whatever their age.")] = 0,
    status: Annotated[
        list[Over] | None,
        typer.Option(
            metavar="STATUS",
            help="Which runs may go, may be repeated: done, which is the default and cannot be resumed any more, "
            "partial, failed, cancelled, waiting, interrupted.",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be deleted.")] = False,
    journal: opt.Journal = None,
    as_json: opt.AsJson = False,
) -> None:
    """Delete old runs with all their events and checkpoints. A run that something works on is never touched."""
    from planloom.cli import collecting

    statuses = [item.value for item in status or (Over.DONE,)]
    asyncio.run(
        collecting.gc(journal, older_than=older_than, keep=keep, statuses=statuses, dry_run=dry_run, as_json=as_json)
    )
