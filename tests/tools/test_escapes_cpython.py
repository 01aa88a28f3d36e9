"""Attempts to get out of the CPython box or to exhaust its host, judged from the host's side where it can be."""

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from planloom.tools.box import BoxResult
from planloom.tools.sandbox import Sandbox

pytestmark = pytest.mark.usefixtures("cpython_box")

SECRET = "kept-from-the-guest-7141"
LIBC = "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"
CHECK = "\nif found < 0:\n    raise OSError(ctypes.get_errno(), 'refused')\n'ESCAPED'"

REFUSED = {
    "read a system file": "open('/etc/passwd').read()",
    "read a file of the host": "open(HOST + '/secret.txt').read()",
    "read it by a path through scratch": "open('../' * 12 + HOST + '/secret.txt').read()",
    "list a folder of the host": "import os\nos.listdir(HOST)",
    "list the root": "import os\nos.listdir('/')",
    "read its own environment file": "open('/proc/self/environ').read()",
    "read the parent's environment": "import os\nopen(f'/proc/{os.getppid()}/environ').read()",
    "read its own memory map": "open('/proc/self/maps').read()",
    "write its own memory": "open('/proc/self/mem', 'r+b')",
    "go through /proc to the root": "import os\nos.listdir('/proc/1/root')",
    "read a device": "open('/dev/zero', 'rb').read(1)",
    "connect over TCP": "import socket\nsocket.create_connection(('127.0.0.1', PORT), 2)",
    "send over UDP": "import socket\nsocket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', PORT))",
    "open a raw socket": "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
    "open a local socket": "import socket\nsocket.socket(socket.AF_UNIX).connect(HOST + '/s')",
    "open a netlink socket": "import socket\nsocket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "fetch a page": "import urllib.request\nurllib.request.urlopen(f'http://127.0.0.1:{PORT}/')",
    "open a socket from C": LIBC + "found = libc.socket(2, 1, 0)" + CHECK,
    "fork": "import os\nos.fork()",
    "run a command": "import subprocess\nsubprocess.run(['id'])",
    "run a shell": "import os\nif os.system('true') != 0:\n    raise PermissionError\n'ESCAPED'",
    "spawn": "import os\nos.posix_spawn('/bin/true', ['true'], {})",
    "become another program": "import os\nos.execv('/bin/true', ['true'])",
    "start a worker process": "import multiprocessing\nmultiprocessing.get_context('fork').Process(target=int).start()",
    "fork from C": LIBC + "found = libc.fork()" + CHECK,
    "fork until nothing is left": "import os\nwhile True:\n    os.fork()",
    "kill the parent": "import os\nos.kill(os.getppid(), 9)",
    "kill everything": "import os\nos.kill(-1, 9)",
    "kill through a descriptor": LIBC + "found = libc.syscall(434, os.getppid(), 0)" + CHECK,
    "write a file of the host": "open(HOST + '/secret.txt', 'w')",
    "make a file of the host": "open(HOST + '/new.txt', 'w')",
    "make a folder of the host": "import os\nos.mkdir(HOST + '/new')",
    "remove a file of the host": "import os\nos.remove(HOST + '/secret.txt')",
    "rename a file of the host": "import os\nos.rename(HOST + '/secret.txt', HOST + '/b')",
    "move a file of the host in": "import os\nos.rename(HOST + '/secret.txt', 'b')",
    "truncate a file of the host": "import os\nos.truncate(HOST + '/secret.txt', 0)",
    "change a mode": "import os\nos.chmod(HOST + '/secret.txt', 0o777)",
    "change an owner": "import os\nos.chown(HOST + '/secret.txt', 1, 1)",
    "change a time": "import os\nos.utime(HOST + '/secret.txt')",
    "read through a symbolic link": "import os\nos.symlink(HOST + '/secret.txt', 'l')\nopen('l').read()",
    "read through a hard link": "import os\nos.link(HOST + '/secret.txt', 'l')\nopen('l').read()",
    "make a fifo": "import os\nos.mkfifo('f')",
    "make a device": "import os\nos.mknod('d', 0o20600, os.makedev(1, 1))",
    "write into the libraries": "import json, os\nopen(os.path.dirname(json.__file__) + '/x.py', 'w')",
    "trace": LIBC + "found = libc.ptrace(16, os.getppid(), 0, 0)" + CHECK,
    "read another's memory": LIBC + "found = libc.process_vm_readv(os.getppid(), 0, 0, 0, 0, 0)" + CHECK,
    "mount": LIBC + "found = libc.mount(b'none', b'.', b'tmpfs', 0, 0)" + CHECK,
    "new namespaces": LIBC + "found = libc.unshare(0x10000000)" + CHECK,
    "another root": "import os\nos.chroot('.')",
    "anonymous memory files": "import os\nos.memfd_create('x')",
    "io_uring": LIBC + "found = libc.syscall(425, 8, 0)" + CHECK,
    "raise a limit": "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (9999, 9999))",
    "lift the memory limit": "import resource\nresource.setrlimit(resource.RLIMIT_AS, (-1, -1))",
    "another user": "import os\nos.setuid(12345)",
    "set the clock": "import time\ntime.clock_settime(time.CLOCK_REALTIME, 0)",
    "set the name of the host": "import socket\nsocket.sethostname('x')",
    "shared memory": LIBC + "found = libc.shmget(0, 4096, 0o1600)" + CHECK,
    "a new session": "import os\nos.setsid()",
}  # fmt: skip

STOPPED = {
    "endless loop": ("while True:\n    pass", "TimeoutError: stopped after 1 s"),
    "endless sleep": ("import time\ntime.sleep(1000)", "TimeoutError: stopped after 1 s"),
    "deaf to signals": (
        "import signal\nfor s in range(1, 64):\n    try:\n        signal.signal(s, signal.SIG_IGN)\n"
        "    except (OSError, ValueError):\n        pass\nwhile True:\n    pass",
        "TimeoutError: stopped after 1 s",
    ),
    "slow pattern": ("import re\nre.match('(a+)+$', 'a' * 60 + 'b')", "TimeoutError: stopped after 1 s"),
    "huge list": ("[0] * 10**9", "MemoryError: used more than 256 MiB"),
    "growing text": ("x = 'a'\nwhile True:\n    x += x", "MemoryError: used more than 256 MiB"),
    "huge power": ("len(bytes(10**10))", "MemoryError: used more than 256 MiB"),
    "mapped memory": ("import mmap\nmmap.mmap(-1, 2**30)", "OSError"),
    "much printing": ("while True:\n    print('a' * 1000)", "RuntimeError: printed more than 1000000 bytes"),
    "much printing to stderr": (
        "import sys\nwhile True:\n    sys.stderr.write('a' * 1000)",
        "RuntimeError: printed more than 1000000 bytes",
    ),
    "printing below Python": ("import os\nwhile True:\n    os.write(1, b'a' * 1000)", "RuntimeError: printed more"),
    "one large file": ("f = open('f', 'wb')\nwhile True:\n    f.write(b'a' * 2**20)", "OSError"),
    "many large files": (
        "i = 0\nwhile True:\n    i += 1\n    open(f'f{i}', 'wb').write(b'a' * 2**23)",
        "OSError: wrote more than 64 MiB or 1000 files",
    ),
    "many small files": (
        "i = 0\nwhile True:\n    i += 1\n    open(f'f{i}', 'wb').close()",
        "OSError: wrote more than 64 MiB or 1000 files",
    ),
    "many threads": (
        "import threading, time\nthreading.stack_size(65536)\nwhile True:\n"
        "    try:\n        threading.Thread(target=time.sleep, args=(100,), daemon=True).start()\n"
        "    except RuntimeError:\n        pass",
        ("RuntimeError: started more than 64 threads", "MemoryError: used more than 256 MiB"),
    ),
    "many open files": ("import os\nx = [os.dup(1) for _ in range(100)]", "OSError: [Errno 24]"),
    "deep recursion": ("def f():\n    return f()\nf()", "RecursionError"),
    "deep value": ("x = []\nfor _ in range(100000):\n    x = [x]\nx", "RecursionError"),
    "leaving": ("import os\nos._exit(0)", "RuntimeError: the process died without a result: exit code 0"),
    "leaving politely": ("raise SystemExit(0)", "SystemExit: 0"),
    "crashing": ("import ctypes\nctypes.string_at(0)", "RuntimeError: the process died without a result: SIGSEGV"),
    "killing itself by a limit": ("import os\nos.abort()", "RuntimeError: the process died without a result: SIGABRT"),
    "another architecture's calls": (
        "import ctypes\nctypes.CDLL(None).syscall(0x40000000 + 39)",
        "RuntimeError: the process died without a result: SIGSYS",
    ),
}  # fmt: skip


@pytest.fixture
def host(tmp_path: Path) -> Path:
    (tmp_path / "secret.txt").write_text(SECRET)
    return tmp_path


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


async def run(sandbox: Sandbox, code: str, host: Path, listener: socket.socket) -> BoxResult:
    given = {"HOST": str(host), "PORT": listener.getsockname()[1]}
    return await sandbox.run(code, given, box="cpython", timeout_s=20)


@pytest.mark.parametrize("code", REFUSED.values(), ids=REFUSED.keys())
async def test_what_leads_out_is_refused(sandbox: Sandbox, host: Path, listener: socket.socket, code: str) -> None:
    mode = (host / "secret.txt").stat()
    result = await run(sandbox, code, host, listener)
    assert result.value is None
    assert result.error.startswith(("PermissionError", "OSError", "URLError", "ValueError"))
    assert SECRET not in result.stdout + result.error
    assert [path.name for path in host.iterdir()] == ["secret.txt"]
    assert (host / "secret.txt").stat() == mode
    with pytest.raises(BlockingIOError):
        listener.accept()


@pytest.mark.parametrize(("code", "error"), STOPPED.values(), ids=STOPPED.keys())
async def test_what_exhausts_is_stopped(sandbox: Sandbox, code: str, error: str | tuple[str, ...]) -> None:
    seconds = 1 if "after 1 s" in error else 20
    result = await sandbox.run(code, {}, box="cpython", timeout_s=seconds, max_memory_mb=256)
    assert result.error.startswith(error)
    assert result.value is None
    assert len(result.stdout) <= 1_000_000


async def test_the_environment_holds_nothing_of_ours(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.setenv("PYTHONPATH", SECRET)
    result = await sandbox.run("import os, sys\n[dict(os.environ), sys.path, sys.argv]", {}, box="cpython")
    assert result.error == ""
    assert SECRET not in str(result.value)


async def test_no_descriptor_of_ours_is_open(sandbox: Sandbox, host: Path) -> None:
    code = (
        "import os, stat\nfound = []\nfor fd in range(64):\n    try:\n        found.append(os.fstat(fd).st_mode)\n"
        "    except OSError:\n        pass\nall(stat.S_ISFIFO(m) or stat.S_ISSOCK(m) for m in found)"
    )
    with open(host / "secret.txt") as file:
        os.set_inheritable(file.fileno(), True)
        assert (await sandbox.run(code, {}, box="cpython")).value is True


async def test_a_forged_answer_is_at_most_a_wrong_result(sandbox: Sandbox) -> None:
    code = (
        "import os\nfor fd in range(3, 10):\n    try:\n        os.write(fd, b'{not json')\n"
        "    except OSError:\n        pass\n1"
    )
    result = await sandbox.run(code, {}, box="cpython")
    assert result.value is None
    assert result.error.startswith("RuntimeError: the process died without a result")


async def test_one_run_cannot_reach_another(sandbox: Sandbox) -> None:
    slow = "import os, time\nprint(os.getpid(), os.getcwd())\ntime.sleep(30)"
    prying = (
        "import glob, os\nfound = []\nfor path in glob.glob('/tmp/planloom-box-*'):\n    try:\n"
        "        found += os.listdir(path) and [path] if path != os.getcwd() else []\n"
        "    except PermissionError:\n        pass\nfound"
    )
    async with asyncio.TaskGroup() as group:
        other = group.create_task(sandbox.run(slow, {}, box="cpython", timeout_s=2, files={"a": b"secret"}))
        result = await sandbox.run(prying, {}, box="cpython")
        other.cancel()
    assert result.value == []
