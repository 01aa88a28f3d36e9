"""The commands of the quality engine. Each is a thin shell, as those in `app`."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from planloom.cli import options as opt

Recordings = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN|FILE...", help="Runs of the journal, `all`, or files of recorded answers (.jsonl, .jsonl.gz)."
    ),
]
Model = Annotated[
    str | None, typer.Option("--model", metavar="NAME", help="Cheap model, where a file has several; else its first.")
]
Plot = Annotated[
    Path | None, typer.Option("--plot", metavar="FILE", help="Draw it as a PNG as well; needs planloom[plot].")
]


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(calibrate)
    app.command()(replay)


def calibrate(
    recordings: Recordings,
    output: opt.Output = None,
    model: Model = None,
    recover: Annotated[
        float, typer.Option(min=0.05, max=1, help="Share of the gap between the models that the threshold recovers.")
    ] = 0.8,
    plot: Plot = None,
    journal: opt.Journal = None,
) -> None:
    """Fit the checks on text to recorded answers, as a policy. It says when an answer goes to a stronger model."""
    from planloom.cli import calibrating
    from planloom.cli.given import check_output

    check_output(output)
    check_output(plot)
    asyncio.run(calibrating.calibrate(recordings, journal, model=model, recover=recover, output=output, plot=plot))


def replay(
    recordings: Recordings,
    policy: Annotated[
        list[Path] | None, typer.Option("--policy", "-p", metavar="FILE", help="Policy file; may be given again.")
    ] = None,
    model: Model = None,
    budget: Annotated[
        list[float] | None,
        typer.Option(min=0, metavar="USD", help="Cap on all calls together; given again, each is replayed."),
    ] = None,
    ladder: Annotated[
        str | None, typer.Option(metavar="A,B,...", help="Models from cheap to strong, in place of the recorded order.")
    ] = None,
    price: Annotated[
        list[str] | None,
        typer.Option(metavar="MODEL=USD", help="Per million tokens, where no cost was recorded; may be given again."),
    ] = None,
    weak_price: Annotated[float | None, typer.Option(min=0, metavar="USD", help="The same of the first rung.")] = None,
    strong_price: Annotated[float | None, typer.Option(min=0, metavar="USD", help="The same of the last rung.")] = None,
    plot: Plot = None,
    as_json: opt.AsJson = False,
    journal: opt.Journal = None,
) -> None:
    """Show what other policies would have done. They are held against recorded answers; no model is called."""
    from planloom.cli import replaying
    from planloom.cli.given import check_output, read_prices
    from planloom.quality.replay import Spending

    check_output(plot)
    wishes = replaying.Wishes(
        policies=tuple(policy or ()),
        model=model,
        budgets=tuple(budget or ()),
        ladder=tuple(name.strip() for name in ladder.split(",")) if ladder else (),
        spending=Spending(weak_price=weak_price, strong_price=strong_price, prices=read_prices(price or ())),
        plot=plot,
        as_json=as_json,
    )
    asyncio.run(replaying.replay(recordings, journal, wishes))
