"""The one folder a box may write to, held to its bounds from outside, and what is found in it afterwards."""

import contextlib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from uuid import uuid4

from planloom.core.errors import ToolError

MAX_BYTES = 64 * 2**20
MAX_ENTRIES = 1000
MAX_DEPTH = 16
MAX_KEPT_BYTES = 8 * 2**20
"""Of all files that are handed back, together."""
_MAPPED = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) .* \(deleted\)$", re.MULTILINE)
_NAME = re.compile(r"[\w.+ -]{1,255}")


class Scratch:
    """A folder of one run. Make it, fill it, and remove it whatever happens."""

    def __init__(self) -> None:
        self.path = tempfile.mkdtemp(prefix="planloom-box-")

    def fill(self, files: Mapping[str, bytes]) -> None:
        """Put files in.

        Raises:
            ToolError: A name is not plain.
        """
        for name, content in files.items():
            if not _NAME.fullmatch(name) or name.strip(".") == "":
                raise ToolError("python", f"scratch file {name[:100]!r}: expected a name without folders")
            Path(self.path, name).write_bytes(content)

    def remove(self) -> None:
        """Remove it with all that is in it, however deep the code has gone."""
        _flatten(self.path)
        shutil.rmtree(self.path, ignore_errors=True)

    def trouble(self, pid: int) -> str:
        """Say what the process overdoes on disk; empty when it keeps within its bounds."""
        size, count = _hidden_bytes(pid, self.path), 0
        for depth, entry in _walk(self.path):
            count += 1
            size += entry.st_blocks * 512
            if depth > MAX_DEPTH:
                return f"OSError: made folders more than {MAX_DEPTH} deep"
            if size > MAX_BYTES or count > MAX_ENTRIES:
                break
        if size > MAX_BYTES or count > MAX_ENTRIES:
            return f"OSError: wrote more than {MAX_BYTES >> 20} MiB or {MAX_ENTRIES} files"
        return ""

    def files(self) -> dict[str, bytes]:
        """Return the regular files at its top, by name; nothing when they are too large together."""
        found: dict[str, bytes] = {}
        left = MAX_KEPT_BYTES
        for name in sorted(os.listdir(self.path)):
            with contextlib.suppress(OSError):
                handle = os.open(os.path.join(self.path, name), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
                with os.fdopen(handle, "rb") as file:
                    if stat.S_ISREG(os.fstat(handle).st_mode):
                        found[name] = file.read(left + 1)
                        left -= len(found[name])
            if left < 0:
                raise ToolError("python", f"the files the code left are larger than {MAX_KEPT_BYTES} bytes together")
        return found


def _flatten(top: str) -> None:
    """Lift every folder to the top and leave no folder in it: what `rmtree` meets is then one level deep.

    Thousands of folders in each other would be too deep for its recursion, and too long for a path.
    """
    folders = _folders(top)
    while folders:
        folder = folders.pop()
        for inner in _folders(folder):
            lifted = os.path.join(top, uuid4().hex)
            with contextlib.suppress(OSError):
                os.rename(inner, lifted)
                folders.append(lifted)


def _folders(path: str) -> list[str]:
    """Return the folders in a folder, opened for us where the code had locked them."""
    found: list[str] = []
    with contextlib.suppress(OSError), os.scandir(path) as entries:
        found = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    for inner in found:
        with contextlib.suppress(OSError):
            os.chmod(inner, 0o700)
    return found


def _walk(top: str) -> Iterator[tuple[int, os.stat_result]]:
    """Yield depth and status of everything below a folder; no path in it is ever longer than the bound on depth."""
    folders = [(top, 1)]
    while folders:
        path, depth = folders.pop()
        with contextlib.suppress(OSError), os.scandir(path) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    yield depth, entry.stat(follow_symlinks=False)
                    if entry.is_dir(follow_symlinks=False) and depth <= MAX_DEPTH:
                        folders.append((entry.path, depth + 1))


def _hidden_bytes(pid: int, folder: str) -> int:
    """Return the bytes of files that have no name any more but are still held open, or mapped."""
    size = 0
    with contextlib.suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                status = os.stat(f"/proc/{pid}/fd/{name}")
                size += status.st_blocks * 512 if stat.S_ISREG(status.st_mode) and not status.st_nlink else 0
    with contextlib.suppress(OSError):
        maps = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="replace")
        size += sum(int(m[2], 16) - int(m[1], 16) for m in _MAPPED.finditer(maps) if f" {folder}/" in m[0])
    return size
