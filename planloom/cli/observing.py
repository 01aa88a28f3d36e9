"""What the command line lets look on."""

from planloom.core.errors import ConfigError, Problem
from planloom.observe import Observer


def traces(*, wanted: bool) -> list[Observer]:
    """Return what sends traces, where it is wanted.

    Raises:
        ConfigError: The packages for it are not installed.
    """
    if not wanted:
        return []
    try:
        from planloom.telemetry import Traces
    except ModuleNotFoundError as exc:
        raise ConfigError("--otel", [Problem(f"it needs {exc.name}: pip install 'planloom[otel]'")]) from exc
    return [Traces()]
