"""Log records as lines, of JSON or to be read: ours, and those of any library."""

import json
import logging
import os
from datetime import UTC, datetime
from math import isfinite
from typing import Literal, TypeAlias

from structlog.processors import JSONRenderer, LogfmtRenderer, format_exc_info
from structlog.stdlib import ExtraAdder, ProcessorFormatter
from structlog.typing import EventDict, Processor, WrappedLogger

from planloom.configs.secrets import secrets_of_environment
from planloom.core.json import Json
from planloom.core.secrets import Secrets

Style: TypeAlias = Literal["json", "text"]
_FIRST = ("timestamp", "level", "logger", "event")
_UNTOLD = ("_record", "_from_structlog", "color_message")


def formatter(style: Style = "json", *, secrets: Secrets | None = None) -> logging.Formatter:
    """Return a formatter that makes one line of each record; nothing is set up by it.

    Args:
        style: A JSON object, or `name=value` pairs.
        secrets: What becomes `***`; `None` takes those of the environment.
    """
    hidden = secrets_of_environment(os.environ) if secrets is None else secrets

    def plain(logger: WrappedLogger, name: str, told: EventDict) -> EventDict:
        record: logging.LogRecord = told["_record"]
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        first = {"timestamp": at, "level": name, "logger": record.name, "event": told.pop("event")}
        made = {key: _as_json(value) for key, value in {**first, **told}.items() if key not in _UNTOLD}
        return dict(hidden.hide(made))

    steps: list[Processor] = [format_exc_info, plain]
    if style == "json":
        steps.append(JSONRenderer())
    else:
        steps += [_on_one_line, LogfmtRenderer(key_order=_FIRST, bool_as_flag=False)]
    return ProcessorFormatter(processors=steps, foreign_pre_chain=[ExtraAdder()])


def _as_json(value: object) -> Json:
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else str(value)
    made: Json = json.loads(json.dumps(value, default=str, skipkeys=True))
    return made


def _on_one_line(logger: WrappedLogger, name: str, told: EventDict) -> EventDict:
    """Escape what could steer a terminal or begin another line."""
    return {key: repr(value)[1:-1] if _steers(value) else value for key, value in told.items()}


def _steers(value: object) -> bool:
    return isinstance(value, str) and not value.isprintable()
