"""The command line. Importing it is cheap: each command imports what it needs when it is called."""

import gc
import sys
from collections.abc import Sequence

from planloom.core.errors import ConfigError, PlanError, PlanloomError, RunError


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line; `args` are the process's own when left out.

    Raises:
        SystemExit: Always; see `planloom run --help` for the codes.
    """
    from planloom.cli.app import app

    gc.set_threshold(100_000)  # what is imported stays: looking for garbage in it takes an eighth of a start
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="replace")
    try:
        app(args=args, prog_name="planloom")
    except (PlanloomError, OSError) as exc:
        if "--json" in (sys.argv[1:] if args is None else args):
            _print_json(exc)
        _leave(_message(exc), _code(exc))


def _message(error: PlanloomError | OSError) -> str:
    if isinstance(error, PlanloomError):
        return str(error)
    return (f"{error.filename}: " if error.filename else "") + str(error.strerror or error)


def _code(error: PlanloomError | OSError) -> int:
    if isinstance(error, ConfigError | PlanError | RunError):
        return 2
    from planloom.state.store import JournalUnusable

    return 2 if isinstance(error, JournalUnusable) else 1


def _print_json(error: PlanloomError | OSError) -> None:
    """Print an error as one JSON object where JSON was asked for; its text goes to standard error all the same."""
    import json
    from dataclasses import asdict

    problems = error.problems if isinstance(error, ConfigError) else ()
    told = {"type": type(error).__name__, "message": _message(error), "problems": [asdict(item) for item in problems]}
    sys.stdout.write(json.dumps({"error": told}, ensure_ascii=False) + "\n")


def _leave(message: str, code: int) -> None:
    from planloom.cli.words import harmless

    sys.stderr.write(f"{harmless(message)}\n")
    sys.exit(code)
