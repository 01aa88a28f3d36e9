"""The command line. Importing it is cheap: each command imports what it needs when it is called."""

import sys
from collections.abc import Sequence

from planloom.core.errors import ConfigError, PlanError, PlanloomError, RunError


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line; `args` are the process's own when left out.

    Raises:
        SystemExit: Always; see `planloom run --help` for the codes.
    """
    from planloom.cli.app import app

    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="replace")
    try:
        app(args=args, prog_name="planloom")
    except (ConfigError, PlanError, RunError) as exc:
        _leave(str(exc), 2)
    except PlanloomError as exc:
        _leave(str(exc), _code(exc))
    except OSError as exc:
        name = f"{exc.filename}: " if exc.filename else ""
        _leave(f"{name}{exc.strerror or exc}", 1)


def _code(error: PlanloomError) -> int:
    from planloom.state.store import JournalUnusable

    return 2 if isinstance(error, JournalUnusable) else 1


def _leave(message: str, code: int) -> None:
    from planloom.cli.words import harmless

    sys.stderr.write(f"{harmless(message)}\n")
    sys.exit(code)
