"""Attempts to get out of the monty box or to exhaust its host."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from planloom.tools.sandbox import Sandbox

SECRET = "kept-from-the-guest-7142"

REFUSED = {
    "read a system file": "open('/etc/passwd').read()",
    "read a file of the host": "open(HOST + '/secret.txt').read()",
    "read it through pathlib": "from pathlib import Path\nPath(HOST + '/secret.txt').read_text()",
    "list a folder": "from pathlib import Path\nlist(Path(HOST).iterdir())",
    "write a file of the host": "open(HOST + '/new.txt', 'w').write('x')",
    "remove a file of the host": "import os\nos.remove(HOST + '/secret.txt')",
    "read an environment variable": "import os\nos.getenv('PLANLOOM_SECRET')",
    "read the environment": "import os\nstr(os.environ)",
    "run a shell": "import os\nos.system('true')",
    "fork": "import os\nos.fork()",
    "kill": "import os\nos.kill(os.getppid(), 9)",
    "run a command": "import subprocess\nsubprocess.run(['id'])",
    "connect": "import socket\nsocket.create_connection(('127.0.0.1', PORT))",
    "fetch": "import urllib.request\nurllib.request.urlopen('http://127.0.0.1')",
    "C": "import ctypes\nctypes.CDLL(None)",
    "import by hand": "__import__('os').system('true')",
    "importlib": "import importlib\nimportlib.import_module('socket')",
    "subclasses of object": "().__class__.__base__.__subclasses__()",
    "globals of a function": "def f():\n    pass\nf.__globals__",
    "code of a function": "def f():\n    pass\nf.__code__",
    "built-ins": "__builtins__['open']",
    "frames": "import sys\nsys._getframe()",
    "modules": "import sys\nsys.modules['os']",
    "eval of an import": "eval(\"__import__('socket')\")",
    "exec of a fork": "exec('import os\\nos.fork()')",
    "format of a private name": "'{0.__class__.__init__.__globals__}'.format(1)",
    "ask for input": "input()",
}  # fmt: skip

STOPPED = {
    "endless loop": ("while True:\n    pass", "TimeoutError: stopped after 1 s"),
    "endless sleep": ("import time\nwhile True:\n    time.sleep(5)", "TimeoutError"),
    "slow pattern": ("import re\nre.match('(a+)+$', 'a' * 60 + 'b')\nwhile True: pass", ""),
    "huge list": ("[0] * 10**9", "MemoryError: used more than 64 MiB"),
    "growing text": ("x = 'a'\nwhile True:\n    x = x + x", "MemoryError: used more than 64 MiB"),
    "huge power": ("len(str(10 ** 10 ** 9))", ""),
    "huge repeat": ("len('a' * 10**12)", "MemoryError: used more than 64 MiB"),
    "much printing": ("while True:\n    print('a' * 1000)", "RuntimeError: printed more than 1000000 bytes"),
    "deep recursion": ("def f():\n    return f()\nf()", "RecursionError"),
    "deep value": ("x = []\nfor _ in range(100000):\n    x = [x]\nx", ""),
    "leaving": ("raise SystemExit(0)", ""),
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


@pytest.mark.parametrize("code", REFUSED.values(), ids=REFUSED.keys())
async def test_what_leads_out_is_refused(
    sandbox: Sandbox, host: Path, listener: socket.socket, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANLOOM_SECRET", SECRET)
    given = {"HOST": str(host), "PORT": listener.getsockname()[1]}
    result = await sandbox.run(code, given, box="monty", timeout_s=5)
    assert result.value is None
    assert result.error
    assert SECRET not in result.stdout + result.error
    assert [path.name for path in host.iterdir()] == ["secret.txt"]
    with pytest.raises(BlockingIOError):
        listener.accept()


@pytest.mark.parametrize(("code", "error"), STOPPED.values(), ids=STOPPED.keys())
async def test_what_exhausts_is_stopped(sandbox: Sandbox, code: str, error: str) -> None:
    result = await sandbox.run(code, {}, box="monty", timeout_s=1, max_memory_mb=64)
    assert result.error
    assert result.error.startswith(error)
    assert result.value is None
    assert len(result.stdout) <= 1_000_000


async def test_the_box_serves_on_after_a_cancelled_run(sandbox: Sandbox) -> None:
    deadline = asyncio.timeout(0.3)
    with pytest.raises(TimeoutError):
        async with deadline:
            await sandbox.run("while True:\n    pass", {}, box="monty", timeout_s=60)
    assert (await sandbox.run("1 + 1", {}, box="monty")).value == 2
