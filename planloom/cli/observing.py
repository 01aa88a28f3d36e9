"""What the command line lets look on, and where its log goes."""

import logging
from collections.abc import Generator, Mapping
from contextlib import contextmanager

from planloom.cli.options import LogLevel, LogStyle, LogWish
from planloom.core.errors import ConfigError, Problem
from planloom.observe import Observer


def observers(*, otel: bool, logs: bool) -> list[Observer]:
    """Return what sends traces and what logs, where they are wanted.

    Raises:
        ConfigError: The packages for traces are not installed.
    """
    wanted: list[Observer] = []
    if logs:
        from planloom.telemetry.logs import Logs

        wanted.append(Logs())
    if otel:
        try:
            from planloom.telemetry.traces import Traces
        except ModuleNotFoundError as exc:
            raise ConfigError("--otel", [Problem(f"it needs {exc.name}: pip install 'planloom[otel]'")]) from exc
        wanted.append(Traces())
    return wanted


@contextmanager
def logged(wish: LogWish) -> Generator[None]:
    """Write this process's log to standard error meanwhile, where that is wished.

    Of other libraries only warnings and errors are written, and a server's requests: prompts and SQL stand in the rest.
    """
    if not wish.on:
        yield
        return
    from planloom.telemetry.log_format import formatter

    handler = logging.StreamHandler()
    handler.setFormatter(formatter((wish.style or LogStyle.TEXT).value, secrets=wish.secrets))
    least = logging.getLevelNamesMapping()[(wish.level or LogLevel.INFO).name]
    levels = {"": max(least, logging.WARNING), "uvicorn": max(least, logging.INFO), "planloom": least}
    before = {name: logging.getLogger(name).level for name in levels}
    logging.getLogger().addHandler(handler)
    _set(levels)
    logging.captureWarnings(capture=True)
    try:
        yield
    finally:
        logging.captureWarnings(capture=False)
        _set(before)
        logging.getLogger().removeHandler(handler)


def _set(levels: Mapping[str, int]) -> None:
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
