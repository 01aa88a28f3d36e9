"""Confine this process, then become Monty's worker: defence in depth below an interpreter that needs none.

Started as a script by `box_monty`: `python -I -S launch.py PARENT BINARY ARGUMENT...`.
"""

import importlib.util
import os
import sys
from pathlib import Path

_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache", "/usr/share/zoneinfo")
_LOADERS = ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1")


_MAX_MEMORY_BYTES = 8 * 2**30
"""Of address space; Monty itself counts what a run allocates."""


def main(parent: int, binary: str, arguments: list[str]) -> None:
    """Give up files, sockets and processes, then run `binary`, which ends with the process `parent`."""
    spec = importlib.util.spec_from_file_location("confine", Path(__file__).with_name("confine.py"))
    if spec is None or spec.loader is None:
        raise ImportError("confine.py is not beside launch.py")
    confine = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(confine)
    confine.die_with_parent(parent)
    confine.restrict_resources(memory_bytes=_MAX_MEMORY_BYTES, cpu_s=None, file_bytes=0)
    confine.restrict_files(_LIBRARIES, [], [binary, *_LOADERS])
    confine.restrict_calls(execve=True)
    os.execve(binary, [binary, *arguments], {"TZ": "UTC"})


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
