"""Kill real runs with `kill -9` at random moments, resume them, and count broken promises: each must be 0.

python -P benchmarks/kills.py [--kills 200] [--journal sqlite|postgresql] [--seed N]
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from kills.harness import Place, kill_runs


def places(stack: ExitStack, journal: str, folder: Path) -> Place:
    """Return what gives every run a new database of a kind."""
    if journal == "postgresql":
        from postgres import served

        server = stack.enter_context(served())
        return lambda number: asyncio.to_thread(server.fresh, number)

    async def file(number: int) -> str:
        return str(folder / f"{number}.db")

    return file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--journal", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    args = parser.parse_args()
    print(f"{args.journal}, seed {args.seed}", flush=True)
    began = time.monotonic()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        tally = asyncio.run(kill_runs(folder, args.kills, args.seed, places(stack, args.journal, folder), cold=0.03))
    print(tally.table(), f"{time.monotonic() - began:.0f} s", *tally.violations, sep="\n")
    sys.exit(1 if tally.violations else 0)


if __name__ == "__main__":
    main()
