"""What untrusted code must not reach, watched from the host's side: a file, a secret, listeners, processes."""

import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from planloom.core.json import JsonObject
from planloom.tools.box import BoxResult


@dataclass(frozen=True, kw_only=True)
class Canary:
    """Everything that would show a breach."""

    folder: Path
    secret: str
    abstract: str
    tcp: socket.socket
    listeners: tuple[socket.socket, ...]
    before: os.stat_result

    @property
    def given(self) -> JsonObject:
        """What the code is told, so that it need not search."""
        return {"HOST": str(self.folder), "PORT": self.tcp.getsockname()[1], "ABSTRACT": self.abstract}

    def assert_untouched(self, result: BoxResult) -> None:
        """Fail if anything was read, written, reached, or left behind."""
        assert self.secret not in f"{result.value}{result.stdout}{result.error}"
        assert sorted(path.name for path in self.folder.iterdir()) == ["canary.sock", "secret.txt"]
        now = (self.folder / "secret.txt").stat()
        assert (now.st_mode, now.st_mtime_ns, now.st_size, now.st_nlink, now.st_uid) == (
            self.before.st_mode,
            self.before.st_mtime_ns,
            self.before.st_size,
            self.before.st_nlink,
            self.before.st_uid,
        )
        for listener in self.listeners:
            assert _is_quiet(listener)
        assert len(guests()) <= 1, "one spare at most"


@contextmanager
def canary(folder: Path) -> Iterator[Canary]:
    """Set the canaries out."""
    secret = f"kept-from-the-guest-{secrets.token_hex(8)}"
    (folder / "secret.txt").write_text(secret)
    abstract = f"planloom-canary-{secrets.token_hex(8)}"
    with ExitStack() as stack:
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        udp.bind(("127.0.0.1", tcp.getsockname()[1]))
        local = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(2)]
        local[0].bind(str(folder / "canary.sock"))
        local[1].bind(f"\0{abstract}")
        for listener in local:
            listener.listen()
        listeners = (tcp, udp, *local)
        for listener in listeners:
            listener.setblocking(False)
        yield Canary(
            folder=folder,
            secret=secret,
            abstract=abstract,
            tcp=tcp,
            listeners=listeners,
            before=(folder / "secret.txt").stat(),
        )


def _is_quiet(listener: socket.socket) -> bool:
    try:
        if listener.type == socket.SOCK_DGRAM:
            listener.recv(1)
        else:
            listener.accept()
    except BlockingIOError:
        return True
    return False


def children(pid: int | str = "self") -> dict[str, str]:
    """Return the command line of each process that a process started, by id, in whichever thread."""
    found: dict[str, str] = {}
    for child in " ".join(map(_read, Path(f"/proc/{pid}/task").glob("*/children"))).split():
        found[child] = _read(Path(f"/proc/{child}/cmdline")).replace("\0", " ")
    return found


def _read(path: Path) -> str:
    """Return a file's text; nothing when its process is gone."""
    with suppress(OSError):
        return path.read_text()
    return ""


def guests() -> set[str]:
    """Return the ids of the CPython boxes' processes below this one."""
    return {pid for pid, command in children().items() if "guest.py" in command}
