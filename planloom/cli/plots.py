"""Cost against accuracy as a picture: in characters for the terminal, as PNG through matplotlib."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from planloom.core.errors import ConfigError, Problem

WIDTH, HEIGHT = 60, 14

Series = Mapping[str, Sequence[tuple[float, float]]]
"""Places (x, y) by name; a series of one place is a mark, of several a line."""


def as_text(series: Series, *, x: str, y: str) -> str:
    """Draw lines of characters, each series with a mark of its own."""
    places = [place for line in series.values() for place in line]
    left, right = _range([place[0] for place in places])
    low, high = _range([place[1] for place in places])
    grid = [[" "] * (WIDTH + 1) for _ in range(HEIGHT + 1)]
    for mark, line in zip("·*o+x#@%&", series.values(), strict=False):
        spots = [((across - left) / (right - left) * WIDTH, (up - low) / (high - low) * HEIGHT) for across, up in line]
        for column, up in _filled(spots):
            grid[HEIGHT - round(up)][column] = mark
    scale = {0: f"{high:6.3f}", HEIGHT // 2: f"{(low + high) / 2:6.3f}", HEIGHT: f"{low:6.3f}"}
    lines = [f"{scale.get(row, ''):>6} │{''.join(cells).rstrip()}" for row, cells in enumerate(grid)]
    legend = "   ".join(f"{mark} {name}" for mark, name in zip("·*o+x#@%&", series, strict=False))
    axis = f"{'':6} └{'─' * (WIDTH + 1)}"
    ends = f"{'':8}{left:<{WIDTH // 2}.3g}{right:>{WIDTH - WIDTH // 2 + 1}.3g}"
    return "\n".join([f"{y}", *lines, axis, ends, f"{'':8}{x}", f"{'':8}{legend}"])


def _filled(spots: Sequence[tuple[float, float]]) -> Iterator[tuple[int, float]]:
    """Yield each spot, and the columns between two that follow each other."""
    yield from ((round(across), up) for across, up in spots)
    for (a, start), (b, end) in pairwise(spots):
        for column in range(round(a) + 1, round(b)):
            yield column, start + (end - start) * (column - a) / (b - a)


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def as_png(series: Series, path: Path, *, x: str, y: str, title: str) -> None:
    """Draw the same as a PNG.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as exc:
        raise ConfigError("--plot", [Problem(f"it needs {exc.name}: pip install 'planloom[plot]'")]) from exc
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for name, line in series.items():
        across, up = [place[0] for place in line], [place[1] for place in line]
        axes.plot(across, up, marker="o" if len(line) == 1 else "", label=name)
    axes.set(xlabel=x, ylabel=y, title=title)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, format="png")
