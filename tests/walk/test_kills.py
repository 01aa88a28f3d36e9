"""Real processes, `kill -9` at drawn moments: `benchmarks/kills.py` with ten kills."""

from pathlib import Path

from kills.harness import kill_runs


async def test_kills_break_no_promise(tmp_path: Path) -> None:
    async def place(number: int) -> str:
        return str(tmp_path / f"{number}.db")

    tally = await kill_runs(tmp_path, 6, 2, place)
    assert tally.violations == []
    assert tally.kills >= 6
