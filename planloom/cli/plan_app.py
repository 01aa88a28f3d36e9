"""The commands about plans. Each is a thin shell, as those in `app`."""

import asyncio
from typing import Annotated

import typer

from planloom.cli import options as opt


def explain(
    target: Annotated[
        str,
        typer.Argument(metavar="FILE|RUN", help="Workflow file or name; with --analyze a run."),
    ],
    analyze: Annotated[
        bool, typer.Option("--analyze", help="Show a run: what each node was expected to take, beside what it took.")
    ] = False,
    journal: opt.Journal = None,
    as_json: opt.AsJson = False,
) -> None:
    """Show what a workflow would do, and what it would cost. Nodes, models, tools, checks, flows, ranges of calls."""
    if analyze:
        from planloom.cli import analyze as analyzing

        asyncio.run(analyzing.analyze(target, journal, as_json=as_json))
        return
    from planloom.cli import checking

    asyncio.run(checking.explain(target, journal, as_json=as_json))


def promote(run_id: opt.RunId, output: opt.Output = None, journal: opt.Journal = None) -> None:
    """Turn the plan of a run into a workflow. It has inputs, and runs again without a planner; the run must be done."""
    from planloom.cli import given, promoting

    given.check_output(output)
    asyncio.run(promoting.promote(run_id, journal, output))


def lint(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Workflow files.")], as_json: opt.AsJson = False
) -> None:
    """Look for what prompts are better without. Pleading, threats, contradictions, starts that no cache can hold."""
    from planloom.cli import checking

    raise typer.Exit(checking.lint(files, as_json=as_json))
