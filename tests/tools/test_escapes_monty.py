"""Attempts to get out of the monty box or to exhaust its host, judged from the host's side."""

import asyncio
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from canary import Canary, children

from planloom.tools import confine
from planloom.tools.sandbox import Sandbox

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
    "the parent's environment": "open('/proc/self/environ').read()",
    "the parent's memory": "open('/proc/1/mem', 'rb').read(1)",
    "a device": "open('/dev/zero', 'rb').read(1)",
    "a path that climbs": "open('../' * 12 + HOST + '/secret.txt').read()",
    "a path object that climbs": "from pathlib import Path\n"
    "(Path('.') / ('../' * 12 + HOST) / 'secret.txt').read_text()",
    "append to a file of the host": "open(HOST + '/secret.txt', 'a').write('x')",
    "truncate a file of the host": "open(HOST + '/secret.txt', 'w').write('')",
    "make a folder": "import os\nos.mkdir(HOST + '/new')",
    "make a folder by pathlib": "from pathlib import Path\nPath(HOST + '/new').mkdir()",
    "rename": "import os\nos.rename(HOST + '/secret.txt', HOST + '/b')",
    "link": "import os\nos.symlink(HOST + '/secret.txt', 'l')",
    "list the root": "import os\nos.listdir('/')",
    "walk": "import os\nassert list(os.walk('/'))",
    "glob": "import glob\nglob.glob('/*')",
    "change a mode": "import os\nos.chmod(HOST + '/secret.txt', 0o777)",
    "exec": "import os\nos.execv('/bin/true', ['true'])",
    "spawn": "import os\nos.posix_spawn('/bin/true', ['true'], {})",
    "popen": "import os\nos.popen('id').read()",
    "pty": "import pty\npty.spawn('/bin/sh')",
    "processes": "import multiprocessing\nmultiprocessing.Process(target=int).start()",
    "threads": "import threading\nthreading.Thread(target=int).start()",
    "signals": "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)",
    "memory maps": "import mmap\nmmap.mmap(-1, 4096)",
    "pickle": "import pickle\npickle.loads(b\"cos\\nsystem\\n(S'id'\\ntR.\")",
    "marshal": "import marshal\nmarshal.loads(b'')",
    "garbage": "import gc\ngc.get_objects()",
    "inspect": "import inspect\ninspect.currentframe().f_back",
    "limits": "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (9, 9))",
    "a local socket": "import socket\nsocket.socket(socket.AF_UNIX).connect(HOST + '/canary.sock')",
    "an http client": "import http.client\nhttp.client.HTTPConnection('127.0.0.1', PORT).request('GET', '/')",
    "requests": "import requests\nrequests.get(f'http://127.0.0.1:{PORT}')",
    "an event loop's connection": "import asyncio\nasyncio.run(asyncio.open_connection('127.0.0.1', PORT))",
    "bases of a type": "int.__bases__[0].__subclasses__()",
    "the type of a type": "type(type(1)).__subclasses__(type)",
    "a method's function": "''.join.__self__.__class__.__mro__[1].__subclasses__()",
    "a class's dictionary": "class A:\n    pass\nA.__dict__['__module__']",
    "a traceback's frame": "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n"
    "    r = e.__traceback__.tb_frame.f_globals\nr",
    "a generator's frame": "(x for x in [1]).gi_frame.f_back",
    "compile": "exec(compile('import socket', 'x', 'exec'))",
    "globals": "globals()['__builtins__']",
    "attributes by name": "getattr(getattr(1, '__class__'), '__subclasses__')()",
    "format of attributes": "'{x.__init__.__globals__}'.format(x=ValueError())",
    "a module's loader": "import json\njson.__loader__.get_data('/etc/passwd')",
    "a module's sys": "import json\njson.decoder.scanner.sys",
    "the import machinery": "import builtins\nbuiltins.__import__('os').system('id')",
    "a host's exception": "open('/nowhere-' + HOST).read()",
    "exit": "import sys\nsys.exit(0)",
    "quit": "quit()",
    "leave": "import os\nos._exit(0)",
}  # fmt: skip

STOPPED = {
    "endless loop": ("while True:\n    pass", "TimeoutError: stopped after 0.4 s"),
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
    "an interrupt": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    "holding on to a full memory": (
        "x = []\nwhile True:\n    try:\n        x.append('a' * 10**6 + str(len(x)))\n"
        "    except MemoryError:\n        pass", "",
    ),
    "a big power": ("7 ** (10 ** 9)", ""),
    "a big shift": ("len(str(1 << (10 ** 11)))", ""),
    "a big factorial": ("import math\nmath.factorial(10 ** 8)", ""),
    "big numbers in a loop": ("x = 3\nwhile True:\n    x = x * x", ""),
    "a comprehension without end": ("[x for x in range(10**12)]", ""),
    "a dictionary that grows": ("x = {}\nn = 0\nwhile True:\n    x[n] = str(n)\n    n += 1", ""),
    "a wide format": ("len('{:>1000000000}'.format(1))", ""),
    "a wide justification": ("len('a'.ljust(10**10))", ""),
    "a replace bomb": ("x = 'a' * 10**6\nlen(x.replace('a', 'b' * 10**6))", ""),
    "a join bomb": ("len(('a' * 10**6).join(['b'] * 10**6))", ""),
    "a product": ("import itertools\nlist(itertools.product(range(100), repeat=10))", ""),
    "a count": ("import itertools\nlist(itertools.count())", ""),
    "a long error": ("raise ValueError('x' * 10**6)", "ValueError: xxx"),
    "a comparison of deep values": (
        "x = []\ny = []\nfor _ in range(50000):\n    x = [x]\n    y = [y]\nx == y and 1 / 0", "",
    ),
    "a json bomb": ("import json\njson.loads('[' * 10**6)", ""),
    "a sort without end": ("x = list(range(3 * 10**5))\nwhile True:\n    x.sort(key=lambda n: -n)", ""),
    "a sleep past the end": ("import time\ntime.sleep(10**6)", ""),
    "a hash of itself": ("import hashlib\nhashlib.pbkdf2_hmac('sha256', b'a', b'b', 10**9)", ""),
}  # fmt: skip


@pytest.mark.parametrize("code", REFUSED.values(), ids=REFUSED.keys())
async def test_what_leads_out_is_refused(sandbox: Sandbox, watched: Canary, code: str) -> None:
    result = await sandbox.run(code, watched.given, box="monty", timeout_s=5)
    assert result.value is None
    assert result.error
    watched.assert_untouched(result)


@pytest.mark.parametrize(("code", "error"), STOPPED.values(), ids=STOPPED.keys())
async def test_what_exhausts_is_stopped(sandbox: Sandbox, watched: Canary, code: str, error: str) -> None:
    seconds = 20 if error and not error.startswith("TimeoutError") else 0.4
    result = await sandbox.run(code, {}, box="monty", timeout_s=seconds, max_memory_mb=64)
    assert result.error
    assert result.error.startswith(error)
    assert result.value is None
    assert len(result.stdout) <= 1_000_000
    assert len(result.error) <= 4000
    watched.assert_untouched(result)
    assert (await sandbox.run("1 + 1", {}, box="monty")).value == 2


async def test_the_box_serves_on_after_a_cancelled_run(sandbox: Sandbox) -> None:
    deadline = asyncio.timeout(0.3)
    with pytest.raises(TimeoutError):
        async with deadline:
            await sandbox.run("while True:\n    pass", {}, box="monty", timeout_s=60)
    assert (await sandbox.run("1 + 1", {}, box="monty")).value == 2


def launched(*words: str) -> "subprocess.CompletedProcess[str]":
    """Run a program in Monty's place, under the same wrapper."""
    launch = str(Path(confine.__file__).with_name("launch.py"))
    command = [sys.executable, "-I", "-S", launch, str(os.getpid()), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)


@pytest.mark.usefixtures("cpython_box")
def test_the_wrapper_leaves_a_program_neither_files_nor_environment_nor_other_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret.txt").write_text("kept")
    monkeypatch.setenv("PLANLOOM_SECRET", "kept")
    tries = {"cat": "/bin/cat " + str(tmp_path / "secret.txt"), "write": f"/bin/touch {tmp_path}/new"}
    tries |= {
        "environment": "/usr/bin/env",
        "shell": "/bin/sh -c /bin/true",
        "memory": f"/bin/cat /proc/{os.getpid()}/mem",
    }
    found = {name: launched(*words.split()) for name, words in tries.items()}
    assert "kept" not in "".join(run.stdout + run.stderr for run in found.values())
    assert found["environment"].stdout.splitlines() == ["TZ=UTC"]
    assert [name for name, run in found.items() if run.returncode == 0] == ["environment"]
    assert [path.name for path in tmp_path.iterdir()] == ["secret.txt"]


@pytest.mark.usefixtures("cpython_box")
async def test_the_worker_itself_is_confined_by_the_kernel(sandbox: Sandbox) -> None:
    async with asyncio.TaskGroup() as group:
        run = group.create_task(sandbox.run("while True:\n    pass", {}, box="monty", timeout_s=20))
        while not (busy := [pid for pid in _workers() if _ticks(pid) > 10]):
            await asyncio.sleep(0.02)
        status = Path(f"/proc/{busy[0]}/status").read_text()
        limits = Path(f"/proc/{busy[0]}/limits").read_text()
        run.cancel()
    assert "\nSeccomp:\t2" in status
    assert "\nNoNewPrivs:\t1" in status
    assert "Max file size             0 " in limits
    while _runs(busy[0]):
        await asyncio.sleep(0.02)


def _workers() -> list[str]:
    return [pid for pid, command in children().items() if command.partition(" ")[0].endswith("/monty")]


HOST = """
import asyncio, sys
from planloom.tools.sandbox import Sandbox

async def main():
    async with Sandbox() as sandbox:
        await sandbox.run("while True: pass", {}, box=sys.argv[1], timeout_s=60)

asyncio.run(main())
"""


@pytest.mark.usefixtures("cpython_box")
@pytest.mark.parametrize(("box", "program"), [("monty", "/monty subprocess"), ("cpython", "guest.py")])
async def test_no_worker_outlives_a_killed_host(box: str, program: str) -> None:
    host = await asyncio.create_subprocess_exec(sys.executable, "-P", "-c", HOST, box)
    while not (found := [pid for pid, command in children(host.pid).items() if program in command]):
        await asyncio.sleep(0.02)
    host.kill()
    await host.wait()
    while any(_runs(pid) for pid in found):
        await asyncio.sleep(0.02)


def _runs(pid: str) -> bool:
    return _stat(pid)[0] not in "ZX"


def _ticks(pid: str) -> int:
    """Return the processor time a process has used, in ticks."""
    return int(_stat(pid)[11])


def _stat(pid: str) -> list[str]:
    """Return what /proc says of a process from its state on."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return ["X", *["0"] * 20]
