"""Run a command, and end it with all its descendants when the process that wants it is gone.

Started as a script: `python -I -S guard.py DESCRIPTOR COMMAND ARGUMENT...`. The descriptor is the reading end of a
pipe whose other end only that process holds; however it dies, `kill -9` included, the pipe ends.
"""

import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from types import FrameType

_GRACE_S = 1.0
"""Between asking the command to end and making it."""


def main(lifeline: int, command: list[str]) -> int:
    """Run `command` and return its exit code, with 128 added to the number of a signal."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _wake)  # a signal that is ignored would be ignored by the command too
    try:
        child = subprocess.Popen(command, process_group=0)
    except OSError as exc:
        sys.stderr.write(f"{command[0]}: {exc.strerror}\n")
        return 127
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)  # the pipes belong to the command alone: they end when it does
    while child.poll() is None:
        ready, _, _ = select.select([lifeline, woken], [], [])
        if lifeline in ready:
            _end(child)
        elif woken in ready:
            os.read(woken, 64)
    _signal(child, signal.SIGKILL)  # what it left behind
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def _wake(number: int, frame: FrameType | None) -> None:
    """Do nothing: the descriptor that `set_wakeup_fd` named becomes readable."""


def _end(child: subprocess.Popen[bytes]) -> None:
    _signal(child, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        child.wait(_GRACE_S)
    _signal(child, signal.SIGKILL)
    child.wait()


def _signal(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
