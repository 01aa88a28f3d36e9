"""Arguments and options that several commands share."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

RunId: TypeAlias = Annotated[str, typer.Argument(metavar="RUN", help="Run id, the start of one, or `last`.")]
Journal: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--journal",
        metavar="PATH",
        help="Journal, a file or sqlite:///file; else $PLANLOOM_JOURNAL, else .planloom/planloom.db.",
    ),
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Plain: TypeAlias = Annotated[bool, typer.Option("--plain", help="One line per event, also on a terminal.")]
BaseUrl: TypeAlias = Annotated[
    str | None,
    typer.Option("--base-url", metavar="URL", help="Ask all models of this OpenAI-compatible server."),
]
Rehearsal: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--rehearsal",
        metavar="SCRIPT",
        help="Answer all model calls from this script (or a shipped one by name): no key, no network.",
    ),
]
Drain: TypeAlias = Annotated[
    float,
    typer.Option(
        "--drain",
        metavar="SECONDS",
        min=0,
        envvar="PLANLOOM_DRAIN",
        help="On SIGTERM: time that attempts under way have to end; no further one begins.",
    ),
]
Output: TypeAlias = Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to this file.")]
Otel: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--otel",
        envvar="PLANLOOM_OTEL",
        help="Send traces by OpenTelemetry, to where OTEL_EXPORTER_OTLP_ENDPOINT says (else localhost:4318).",
    ),
]
Webhook: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--webhook",
        metavar="URL",
        help="Tell it when runs end or wait for a person; signed with $PLANLOOM_WEBHOOK_SECRET.",
    ),
]
WebhookPrivate: TypeAlias = Annotated[
    bool, typer.Option("--webhook-private", help="Webhooks may go to private addresses, and over http.")
]
