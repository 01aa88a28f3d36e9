"""Read and write below a root while another process swaps a folder for a link that leads out of it.

`python -P benchmarks/races.py --races 100000` makes that many races, half of them through the kernel's openat2 and
half part by part, and ends with an error if one reached a file outside.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from planloom.tools import beneath

CANARY, INSIDE = b"outside the root", b"inside the root"
_SWAP = """
import ctypes, os, sys
os.chdir(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
here, exchange = -100, 2
print(flush=True)
while True:
    for thing in (b"folder", b"link.txt"):
        if libc.renameat2(here, thing, here, b"other " + thing, exchange):
            sys.exit(os.strerror(ctypes.get_errno()))
"""


def build(top: Path) -> Path:
    """Make a root with a folder and a file, each with a link beside it that leads to the canary."""
    outside, root = top / "outside", top / "root"
    for folder in (outside, root / "folder"):
        folder.mkdir(parents=True)
    (outside / "file.txt").write_bytes(CANARY)
    (root / "folder" / "file.txt").write_bytes(INSIDE)
    (root / "link.txt").write_bytes(INSIDE)
    (root / "other folder").symlink_to(outside)
    (root / "other link.txt").symlink_to(outside / "file.txt")
    return root


def race(root: int, number: int) -> str:
    """Make one race and say how it ended."""
    path = ("folder/file.txt", "link.txt")[number % 2]
    try:
        if number % 8 == 0:
            beneath.replace_file(root, "folder/file.txt", INSIDE)
            return "written inside"
        with open(beneath.open_file(root, path, os.O_RDONLY), "rb") as file:
            return "read inside" if file.read() == INSIDE else "LEAKED"
    except (beneath.OutsideError, OSError):
        return "refused or not there at that moment"


def run(races: int, openat2: bool) -> Counter[str]:
    if not openat2:
        sys.platform = "another"
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        root_path = build(top)
        swapper = subprocess.Popen([sys.executable, "-c", _SWAP, str(root_path)], stdout=subprocess.PIPE)
        root = os.open(root_path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            if swapper.stdout is None or not swapper.stdout.readline():
                raise RuntimeError("the swapping process did not start")
            ends = Counter(race(root, number) for number in range(races))
            if swapper.poll() is not None:
                raise RuntimeError("the swapping process died, so these were no races")
        finally:
            swapper.kill()
            swapper.communicate()
            os.close(root)
        outside = sorted((top / "outside").iterdir())
        if outside != [top / "outside" / "file.txt"] or outside[0].read_bytes() != CANARY:
            ends["WRITTEN OUTSIDE"] += 1
    return ends


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--races", type=int, default=100_000)
    races: int = parser.parse_args().races
    wrong = 0
    for openat2 in (True, False):
        started = time.monotonic()
        ends = run(races // 2, openat2)
        wrong += ends["LEAKED"] + ends["WRITTEN OUTSIDE"]
        told = ", ".join(f"{count} {end}" for end, count in sorted(ends.items()) if count)
        print(f"{'openat2' if openat2 else 'part by part'}: {told} ({time.monotonic() - started:.1f} s)")
    print(f"reached outside: {wrong}")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
