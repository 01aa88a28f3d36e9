"""The commands that work on a run. Each is a thin shell, as those in `app`."""

import asyncio
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from planloom.cli import options as opt

_EXIT_CODES = (
    "Exit codes: 0 done, 1 failed or partial, 2 bad input, 3 waiting for a human, 130 interrupted, 143 terminated."
)


class YesNo(StrEnum):
    """Answer to everything that waits for a human."""

    YES = "yes"
    NO = "no"


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (run, resume, approve):
        app.command(epilog=_EXIT_CODES)(command)


def run(
    workflow: Annotated[
        str | None,
        typer.Argument(help="Workflow file, or the name of a shipped one; not needed with --task."),
    ] = None,
    task: Annotated[str | None, typer.Option(help="What to do: the input named task.")] = None,
    given: Annotated[
        list[str] | None,
        typer.Option("--input", "-i", metavar="NAME=VALUE", help="One input; JSON unless it is declared a string."),
    ] = None,
    inputs: Annotated[Path | None, typer.Option(metavar="FILE", help="Inputs as a JSON object.")] = None,
    rehearsal: opt.Rehearsal = None,
    base_url: opt.BaseUrl = None,
    journal: opt.Journal = None,
    as_json: opt.AsJson = False,
    plain: opt.Plain = False,
    approve: Annotated[YesNo | None, typer.Option(help="Answer whatever would wait for a human.")] = None,
    output: opt.Output = None,
    drain: opt.Drain = 20.0,
    otel: opt.Otel = False,
    log_format: opt.LogFormat = None,
    log_level: opt.LogFrom = None,
) -> None:
    """Run a workflow and watch it. Nodes, attempts, the router's decisions and the cost are shown."""
    if workflow is None and task is None:
        raise typer.BadParameter("name a workflow, or give a --task", param_hint="WORKFLOW")
    from planloom.cli import given as read

    read.check_base_url(base_url)
    read.check_output(output)
    loaded = read.load_workflow(workflow)
    script = read.find_script(rehearsal)
    values = read.read_inputs(loaded, task=task, pairs=given or (), file=inputs)
    from planloom.cli import running  # slow to import, and not needed for a file that cannot be loaded

    log = opt.LogWish(log_format, log_level, loaded.secrets)
    wishes = running.Wishes(
        show=running.how_to_show(as_json=as_json, plain=plain or log.on),
        approve=None if approve is None else approve is YesNo.YES,
        output=output,
        drain_s=drain,
        base_url=base_url,
        rehearsal=script,
        journal=journal,
        otel=otel,
        log=log,
    )
    raise typer.Exit(running.work_off(running.start(loaded, values, wishes), wishes))


def resume(
    run_id: opt.RunId,
    approve: Annotated[
        list[str] | None, typer.Option(metavar="NODE", help="Let this node run; `plan` for the whole plan.")
    ] = None,
    reject: Annotated[list[str] | None, typer.Option(metavar="NODE", help="Do not let it, or the `plan`, run.")] = None,
    budget: Annotated[
        str | None,
        typer.Option(metavar="NAME=CAP,...", help="Raise caps of this run: usd=1.0,calls=20,tokens=2M,time=1h."),
    ] = None,
    workflow: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Go on under this corrected workflow; what is done under the same words stays."
        ),
    ] = None,
    rehearsal: opt.Rehearsal = None,
    base_url: opt.BaseUrl = None,
    journal: opt.Journal = None,
    as_json: opt.AsJson = False,
    plain: opt.Plain = False,
    output: opt.Output = None,
    drain: opt.Drain = 20.0,
    otel: opt.Otel = False,
    log_format: opt.LogFormat = None,
    log_level: opt.LogFrom = None,
) -> None:
    """Go on with a run that waits, was interrupted or died. What was committed is not done again."""
    from planloom.cli import given as read
    from planloom.cli import running

    read.check_base_url(base_url)
    read.check_output(output)
    answers = read.read_approvals(approve or (), reject or ())
    caps = read.read_budget(budget)
    mended = None if workflow is None else read.load_workflow(workflow)
    log = opt.LogWish(log_format, log_level)
    wishes = running.Wishes(
        show=running.how_to_show(as_json=as_json, plain=plain or log.on),
        output=output,
        drain_s=drain,
        base_url=base_url,
        rehearsal=read.find_script(rehearsal),
        journal=journal,
        otel=otel,
        log=log,
    )
    raise typer.Exit(running.work_off(running.take_up(run_id, answers, wishes, budget=caps, workflow=mended), wishes))


def approve(
    run_id: opt.RunId,
    nodes: Annotated[
        list[str] | None, typer.Argument(metavar="NODE...", help="What may go on; `plan` for the whole plan.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that waits may go on.")] = False,
    reject: Annotated[list[str] | None, typer.Option(metavar="NODE", help="This may not go on.")] = None,
    note: Annotated[str, typer.Option(help="Answer or reason: told to the worker, kept in the journal.")] = "",
    edit: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Run this plan instead; print it first with `show --plan`.")
    ] = None,
    happened: Annotated[bool, typer.Option("--happened", help="The write in doubt did happen: no repeat.")] = False,
    result: Annotated[str | None, typer.Option(metavar="JSON", help="With --happened: what it returned.")] = None,
    journal: opt.Journal = None,
    as_json: opt.AsJson = False,
    plain: opt.Plain = False,
    output: opt.Output = None,
    drain: opt.Drain = 20.0,
    otel: opt.Otel = False,
    log_format: opt.LogFormat = None,
    log_level: opt.LogFrom = None,
) -> None:
    """Answer what waits for a human, and go on. Without an answer: show what waits."""
    from planloom.cli import approving, running
    from planloom.cli.given import check_output

    check_output(output)
    view = asyncio.run(approving.view_of(run_id, journal))
    said = approving.Said(
        nodes=tuple(nodes or ()),
        everything=everything,
        rejected=tuple(reject or ()),
        note=note,
        edit=edit,
        happened=happened,
        result=result,
    )
    answers = approving.read_answers(said, view)
    if not answers:
        approving.print_pending(view, journal, as_json=as_json)
        raise typer.Exit(3 if view.pending else 0)
    if edit is not None:
        asyncio.run(approving.check_edited(edit, view))
    if asyncio.run(approving.delivered(view.run_id, answers, journal)):
        approving.print_told(view.run_id, as_json=as_json)
        return
    log = opt.LogWish(log_format, log_level)
    show_as = running.how_to_show(as_json=as_json, plain=plain or log.on)
    wishes = running.Wishes(show=show_as, output=output, drain_s=drain, journal=journal, otel=otel, log=log)
    raise typer.Exit(running.work_off(running.take_up(view.run_id, answers, wishes), wishes))
