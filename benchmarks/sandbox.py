"""What running a piece of code costs in each box, as ratios beside a bare `python -c` in the same run.

python -P benchmarks/sandbox.py [--runs 20]
"""

import argparse
import asyncio
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Literal

from planloom.tools import confine
from planloom.tools.sandbox import Sandbox

CODE = "sum(n * n for n in range(100))"
CHECK = "assert double(4) == 8"
SOURCE = "def double(x):\n    return 2 * x\n"


async def bare() -> None:
    """Run the code in a plain subprocess, held by nothing."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-I", "-S", "-c", CODE)
    assert await process.wait() == 0


async def cold(box: Literal["monty", "cpython"]) -> None:
    """Open a sandbox for one run."""
    async with Sandbox() as sandbox:
        assert (await sandbox.run(CODE, {}, box=box)).value == 328350


def warm(sandbox: Sandbox, box: Literal["monty", "cpython"], code: str = CODE) -> Callable[[], Awaitable[None]]:
    """Return a run in a sandbox that has run before."""

    async def run() -> None:
        result = await sandbox.run(code, {}, box=box, timeout_s=60)
        assert not result.error, result.error

    return run


async def check(sandbox: Sandbox) -> None:
    """Run a check and the code it tests, in two boxes."""
    assert not (await sandbox.check(CHECK, {}, loaded=SOURCE)).error


def cpu_s() -> float:
    """Return processor seconds of this process and of the children it has reaped."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


async def measured(run: Callable[[], Awaitable[None]], runs: int) -> tuple[float, float]:
    """Return the median of milliseconds a run, and its mean processor milliseconds."""
    await run()
    started, took = cpu_s(), list[float]()
    for _ in range(runs):
        begun = time.perf_counter()
        await run()
        took.append(time.perf_counter() - begun)
    return statistics.median(took) * 1000, (cpu_s() - started) * 1000 / runs


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    runs = parser.parse_args().runs
    base = await measured(bare, runs)
    print(f"{'':<28} {'ms':>8} {'over bare':>10} {'CPU ms':>8} {'over bare':>10}")

    def show(name: str, found: tuple[float, float]) -> None:
        ratios = [one / other for one, other in zip(found, base, strict=True)]
        print(f"{name:<28} {found[0]:>8.1f} {ratios[0]:>9.2f}x {found[1]:>8.1f} {ratios[1]:>9.2f}x")

    show("bare python -c", base)
    async with Sandbox() as sandbox:
        show("monty, cold", await measured(lambda: cold("monty"), runs))
        show("monty, warm", await measured(warm(sandbox, "monty"), runs))
        if lack := confine.missing():
            print(f"cpython: this machine lacks {lack}")
            return
        show("cpython, cold", await measured(lambda: cold("cpython"), runs))
        show("cpython, warm", await measured(warm(sandbox, "cpython"), runs))
        show("cpython with numpy, warm", await measured(warm(sandbox, "cpython", "import numpy\n1"), runs))
        show("a check and tested code", await measured(lambda: check(sandbox), runs))


if __name__ == "__main__":
    asyncio.run(main())
