"""Who this process is, so that another one can tell whether it still lives."""

import os
import platform
from functools import cache
from pathlib import Path


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def _started(pid: int) -> str:
    """Return when a process began, in clock ticks since boot.

    Empty for a dead one that nobody has waited for yet, and where the system does not say.
    """
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return fields[19] if fields and fields[0] not in "ZX" else ""


@cache
def _machine() -> str:
    """Return a name of this machine and process-id space; pids mean something only within it."""
    try:
        space = os.readlink("/proc/self/ns/pid")
    except OSError:
        space = ""
    return "/".join((platform.node(), _read("/proc/sys/kernel/random/boot_id").strip(), space))


def this_process(suffix: str) -> str:
    """Return the owner name of one journal of this process."""
    pid = os.getpid()
    return f"{_machine()}|{pid}|{_started(pid)}|{suffix}"


def is_dead(owner: str) -> bool:
    """Tell whether an owner is known to be gone: a process of this machine that no longer runs."""
    machine, _, rest = owner.partition("|")
    pid, _, began = rest.partition("|")
    if machine != _machine() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return _started(int(pid)) != began.partition("|")[0]


def shown(owner: str) -> str:
    """Return an owner as people want to read it: `host, process 123`."""
    machine, _, rest = owner.partition("|")
    return f"{machine.partition('/')[0]}, process {rest.partition('|')[0]}"
