"""Arguments and options that several commands share."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from planloom.core.secrets import Secrets


class LogStyle(StrEnum):
    """How lines of the log are written."""

    JSON = "json"
    TEXT = "text"


class LogLevel(StrEnum):
    """From which on the log is written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class LogWish:
    """What is to be logged, and how; nothing where neither style nor level is named."""

    style: LogStyle | None = None
    level: LogLevel | None = None
    secrets: Secrets | None = None
    """What becomes `***`; `None` takes those of the environment."""

    @property
    def on(self) -> bool:
        """Whether anything is to be logged."""
        return self.style is not None or self.level is not None


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
LogFormat: TypeAlias = Annotated[
    LogStyle | None,
    typer.Option(
        "--log-format", envvar="PLANLOOM_LOG_FORMAT", help="Log what happens to standard error, a line an event."
    ),
]
LogFrom: TypeAlias = Annotated[
    LogLevel | None,
    typer.Option("--log-level", envvar="PLANLOOM_LOG_LEVEL", help="The least that is logged; info is the default."),
]
