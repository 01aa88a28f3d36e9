"""Recorded answers from what a command line names: runs of the journal, or files."""

import asyncio
import math
from collections.abc import Sequence
from pathlib import Path

from planloom.core.errors import ConfigError, Problem
from planloom.engine import Engine
from planloom.quality.recorded import Recorded
from planloom.quality.runs import recorded_in
from planloom.state.recordings import read_recordings

_MAX_RUNS = 10_000


async def read(named: Sequence[str], journal: str | None, *, model: str | None, above: bool = False) -> list[Recorded]:
    """Read files (names that end in `.jsonl` or `.jsonl.gz`, and folders of them) and runs.

    Args:
        named: Files and runs.
        journal: Where the runs are.
        model: The cheap model; `None` takes the first.
        above: Keep what the models above it answered as well.

    Raises:
        ConfigError: A file cannot be read or is named twice, or nothing that was recorded has a known outcome.
        RunError: There is no such run.
    """
    files = [path for name in named for path in _files(name)]
    _refuse_twice(files)
    runs = [name for name in named if not _files(name)]
    found = [
        each for path in files for each in await asyncio.to_thread(read_recordings, path, model=model, above=above)
    ]
    if runs:
        found += await _from_journal(runs, journal, model, above=above)
    if not found:
        message = "no answer with a known outcome: a node needs a check other than those on text"
        raise ConfigError(" ".join(named), [Problem(message)])
    return found


def _files(name: str) -> list[Path]:
    path = Path(name)
    if path.is_dir():
        return sorted(each for each in path.iterdir() if each.name.endswith((".jsonl", ".jsonl.gz")))
    return [path] if name.endswith((".jsonl", ".jsonl.gz")) else []


def _refuse_twice(files: Sequence[Path]) -> None:
    """Refuse a file that is named again: its answers would count twice.

    Raises:
        ConfigError: There is one.
    """
    seen: set[Path] = set()
    for path in files:
        if path.resolve() in seen:
            raise ConfigError(str(path), [Problem("expected each file once, found it named again")])
        seen.add(path.resolve())


async def _from_journal(names: Sequence[str], journal: str | None, model: str | None, *, above: bool) -> list[Recorded]:
    async with Engine(journal=journal, retention_s=math.inf) as engine:
        ids = [run.run_id for run in await engine.runs(_MAX_RUNS)] if "all" in names else list(names)
        found: dict[str, list[Recorded]] = {}
        for run_id in ids:
            view = await engine.view(run_id)
            found[view.run_id] = list(recorded_in(view))  # `last` and its id name the same run
        rows = [each for run in found.values() for each in run]
    return [each for each in rows if model is None or each.model == model or (above and not each.first)]
