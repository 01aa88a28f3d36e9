"""Attempts to get out of the CPython box or to exhaust its host, judged from the host's side."""

import asyncio
import os
import platform
from pathlib import Path

import pytest
from canary import Canary

from planloom.tools.sandbox import Sandbox

pytestmark = pytest.mark.usefixtures("cpython_box")

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
    "open a local socket": "import socket\nsocket.socket(socket.AF_UNIX).connect(HOST + '/canary.sock')",
    "open an abstract local socket": "import socket\nsocket.socket(socket.AF_UNIX).connect('\\0' + ABSTRACT)",
    "open a socket of another machine": "import socket\nsocket.socket(40, socket.SOCK_STREAM)",
    "listen": "import socket\nsocket.create_server(('127.0.0.1', 0))",
    "send a descriptor": "import socket\na, b = socket.socketpair()\nsocket.send_fds(a, [b'x'], [1])",
    "read the parent's memory file": "import os\nopen(f'/proc/{os.getppid()}/mem', 'rb').read(1)",
    "read the parent's map": "import os\nopen(f'/proc/{os.getppid()}/maps').read()",
    "list the parent's descriptors": "import os\nos.listdir(f'/proc/{os.getppid()}/fd')",
    "read its own command line": "open('/proc/self/cmdline').read()",
    "read the kernel's settings": "open('/proc/sys/kernel/hostname').read()",
    "shared memory files": "open('/dev/shm/planloom', 'w')",
    "the terminal": "open('/dev/tty', 'w')",
    "a new terminal": "import os\nos.openpty()",
    "a shell by pty": "import pty\npty.spawn('/bin/sh')",
    "import a library from scratch that runs": "open('m.py', 'w').write('import os; os.fork()')\nimport sys\n"
    "sys.path.insert(0, '.')\nimport m",
    "run a file from scratch": "import os\nopen('x', 'w').write('#!/bin/sh')\nos.execv('./x', ['x'])",
    "read a root's home": "import os\nos.listdir('/root')",
    "list other runs": "import os\nos.listdir('/tmp')",
    "leave scratch by its parent": "import os\nos.chdir('..')\nos.listdir('.')",
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

# Numbers of x86_64; what stands behind a number are its arguments.
CALLS = {
    "process_vm_writev": "311, os.getppid(), 0, 0, 0, 0, 0",
    "pidfd_getfd": "438, 3, 0, 0",
    "ptrace itself": "101, 0, 0, 0, 0",
    "keyctl": "250, 0, -3, 0",
    "add_key": "248, b'user', b'x', b'y', 1, -3",
    "bpf": "321, 0, 0, 0",
    "perf_event_open": "298, 0, 0, -1, -1, 0",
    "userfaultfd": "323, 0",
    "memfd_secret": "447, 0",
    "execveat": "322, -100, b'/bin/true', 0, 0, 0",
    "setns": "308, 0, 0",
    "clone a namespace": "56, 0x10000011, 0, 0, 0, 0",
    "clone3": "435, 0, 88",
    "vfork": "58",
    "personality": "135, 0x0040000",
    "open_by_handle_at": "304, -100, 0, 0",
    "name_to_handle_at": "303, -100, b'.', 0, 0, 0",
    "fanotify": "300, 0, 0",
    "inotify": "294, 0",
    "message queue": "240, b'q', 0x42, 0o600, 0",
    "semaphores": "64, 0, 1, 0o1600",
    "messages": "68, 0, 0o1600",
    "vmsplice": "278, 1, 0, 0, 0",
    "sendmsg": "46, 1, 0, 0",
    "bind": "49, 0, 0, 0",
    "signal by queue": "129, os.getppid(), 9, 0",
    "signal a thread elsewhere": "234, os.getppid(), os.getppid(), 9",
    "tkill": "200, os.getppid(), 9",
    "owner of a descriptor's signals": "72, 1, 8, os.getppid()",
    "a larger pipe": "72, 1, 1031, 1048576",
    "type into a terminal": "16, 0, 0x5412, b'x'",
    "prctl dumpable": "157, 4, 0, 0, 0, 0",
    "prctl death signal": "157, 1, 0, 0, 0, 0",
    "prctl tracer": "157, 0x59616D61, os.getppid(), 0, 0, 0",
    "another seccomp filter": "317, 1, 0, 0",
    "another Landlock domain": "446, 0, 0",
    "limits of the parent": "302, os.getppid(), 7, 0, 0",
    "affinity": "203, os.getppid(), 8, b'\\1\\0\\0\\0\\0\\0\\0\\0'",
    "priority": "141, 0, os.getppid(), 19",
    "module": "175, 0, 0, 0",
    "reboot": "169, 0xfee1dead, 672274793, 0, 0",
    "kernel log": "103, 3, 0, 0",
    "ports": "172, 3",
    "compare with the parent": "312, os.getpid(), os.getppid(), 0, 0, 0",
    "mount by descriptor": "429, -100, b'.', 0",
    "io_uring_register": "427, 0, 0, 0, 0",
    "move to another group": "109, 0, os.getppid()",
}
if platform.machine() == "x86_64":
    REFUSED |= {call: f"{LIBC}found = libc.syscall({rest}){CHECK}" for call, rest in CALLS.items()}

ALL_FDS = (
    "import os\nfor fd in range(3, 12):\n    try:\n        os.write(fd, {line!r})\n    except OSError:\n        pass\n1"
)
"""Writes to every descriptor, the result's among them."""

HARMLESS = {
    "pickled call": "import pickle\npickle.loads(b\"cos\\nsystem\\n(S'id > \" + HOST.encode() + b\"/new'\\ntR.\")",
    "dunder walk": (
        "import os\nfor c in ().__class__.__base__.__subclasses__():\n    try:\n"
        "        c.__init__.__globals__['sys'].modules['os'].system('id > ' + HOST + '/new')\n"
        "    except Exception:\n        pass"
    ),
    "frames up to the start": (
        "import sys\nframe, found = sys._getframe(), []\nwhile frame:\n    found.append(str(frame.f_locals)[:50000])\n"
        "    frame = frame.f_back\nfound"
    ),
    "everything the collector knows": "import gc\n"
    "str([str(o)[:200] for o in gc.get_objects() if isinstance(o, (str, dict))])[:900000]",
    "its own memory": (
        "import ctypes, os\nstr([v for v in os.environ.values()] + [ctypes.string_at(id(os.environ), 100)])"
    ),
    "a thread left behind": (
        "import threading, time\ndef go():\n    while True:\n        time.sleep(0.01)\n"
        "threading.Thread(target=go).start()\n1"
    ),
    "an exit handler": "import atexit, os\natexit.register(lambda: os.system('id > ' + HOST + '/new'))\n1",
    "its own input through /proc": "str(open('/proc/self/fd/0', 'rb').read())",
    "standard input": "import sys\nsys.stdin.read()",
    "a finaliser": "class A:\n    def __del__(self):\n        open(HOST + '/new', 'w')\na = A()\n1",
}  # fmt: skip

FORGED = {
    "a value": b'{"value": 42}\n',
    "another start": b"R\n",
    "a failed start": b"Xnothing ran\n",
    "a value twice": b'{"value": 42}\n{"value": 43}\n',
    "half a value": b"{not json",
    "a list": b"[1]\n",
    "an error that is no text": b'{"error": {"a": 1}}\n',
    "a line that is no number": b'{"error": "E", "line": "x"}\n',
    "a line below zero": b'{"error": "AssertionError: ", "line": -3}\n',
    "a line beyond all": b'{"error": "AssertionError: ", "line": 99999999999999999999}\n',
    "infinity": b'{"value": 1e999}\n',
    "no number": b'{"value": NaN}\n',
    "deep nesting": b'{"value": ' + b"[" * 20000 + b"]" * 20000 + b"}\n",
    "nesting that parses": b'{"value": ' + b"[" * 100 + b"]" * 100 + b"}\n",
    "half a character": b'{"value": "\\ud800"}\n',
    "a long number": b'{"value": ' + b"9" * 50000 + b"}\n",
    "no text at all": b"\xff\xfe\n",
    "a question": b'>{"names": []}\n',
}  # fmt: skip

STOPPED = {
    "endless loop": ("while True:\n    pass", "TimeoutError: stopped after 0.4 s"),
    "endless sleep": ("import time\ntime.sleep(1000)", "TimeoutError: stopped after 0.4 s"),
    "deaf to signals": (
        "import signal\nfor s in range(1, 64):\n    try:\n        signal.signal(s, signal.SIG_IGN)\n"
        "    except (OSError, ValueError):\n        pass\nwhile True:\n    pass",
        "TimeoutError: stopped after 0.4 s",
    ),
    "slow pattern": ("import re\nre.match('(a+)+$', 'a' * 60 + 'b')", "TimeoutError: stopped after 0.4 s"),
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
    "files without a name": (
        "import os\nkept = []\nfor i in range(40):\n    kept.append(open('f', 'wb'))\n    os.unlink('f')\n"
        "    kept[-1].write(b'a' * 2**23)\n    kept[-1].flush()\nimport time\ntime.sleep(5)",
        "OSError: wrote more than 64 MiB or 1000 files",
    ),
    "mapped files without a name": (
        "import mmap, os\nkept = []\nfor i in range(10):\n    with open('f', 'wb+') as f:\n        f.truncate(2**24)\n"
        "        kept.append(mmap.mmap(f.fileno(), 0))\n    os.unlink('f')\nimport time\ntime.sleep(5)",
        ("OSError: wrote more than 64 MiB or 1000 files", "OSError: [Errno 12]"),
    ),
    "folders in folders": (
        "import os\nwhile True:\n    os.mkdir('d')\n    os.chdir('d')", "OSError: made folders more than 16 deep",
    ),
    "folders with long names": (
        "import os\nwhile True:\n    os.mkdir('d' * 250)\n    os.chdir('d' * 250)\n"
        "    open('f', 'wb').write(b'a' * 2**20)",
        ("OSError: made folders more than 16 deep", "OSError: wrote more than"),
    ),
    "sleeping through a stop": (
        "import signal, threading\nsignal.pthread_kill(threading.get_ident(), signal.SIGSTOP)",
        "TimeoutError: stopped after 0.4 s",
    ),
    "closing everything": (
        "import os\nos.closerange(0, 64)\nwhile True:\n    pass", "TimeoutError: stopped after 0.4 s",
    ),
    "holding on to a full memory": (
        "x = []\nwhile True:\n    try:\n        x.append(bytearray(10**6))\n    except MemoryError:\n        pass",
        "TimeoutError: stopped after 0.4 s",
    ),
    "a big power": ("7 ** (10 ** 9)", ("TimeoutError: stopped after 0.4 s", "MemoryError")),
    "a big factorial": ("import math\nmath.factorial(10 ** 8)", ("TimeoutError: stopped after 0.4 s", "MemoryError")),
    "a sum without end": ("sum(iter(int, 1))", "TimeoutError: stopped after 0.4 s"),
    "an unpacked bomb": (
        "import zlib\nc = zlib.compressobj()\nb = b''.join(c.compress(bytes(2**20)) for _ in range(280)) + c.flush()\n"
        "len(zlib.decompress(b))",
        "MemoryError: used more than 256 MiB",
    ),
    "recursion without its limit": (
        "import sys\nsys.setrecursionlimit(10**9)\ndef f(n):\n    return [f(n + 1)]\nf(0)",
        ("RuntimeError: the process died without a result: SIGSEGV", "MemoryError", "TimeoutError", "SystemError"),
    ),
    "an interrupt": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    "a closed generator": ("raise GeneratorExit", "GeneratorExit"),
    "an exception whose text fails": (
        "class E(Exception):\n    def __str__(self):\n        raise SystemExit\nraise E",
        ("RuntimeError: the process died without a result", "E: "),
    ),
    "a long error": ("raise ValueError('x' * 10**7)", "ValueError: xxx"),
    "an error with half a character": ("raise ValueError('\\ud800')", "ValueError: ?"),
    "a thread that prints on": (
        "import threading\ndef go():\n    while True:\n        print('x' * 1000)\nthreading.Thread(target=go).start()\n"
        "import time\ntime.sleep(30)",
        "RuntimeError: printed more than 1000000 bytes",
    ),
    "a filled pipe": (
        "import os\nr, w = os.pipe()\nwhile True:\n    os.write(w, bytes(4096))", "TimeoutError: stopped after 0.4 s",
    ),
    "a timer of its own": (
        "import signal, time\nsignal.setitimer(signal.ITIMER_REAL, 0.05)\ntime.sleep(30)",
        "RuntimeError: the process died without a result: SIGALRM",
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


@pytest.mark.parametrize("code", REFUSED.values(), ids=REFUSED.keys())
async def test_what_leads_out_is_refused(sandbox: Sandbox, watched: Canary, code: str) -> None:
    result = await sandbox.run(code, watched.given, box="cpython", timeout_s=20)
    assert result.value is None
    assert result.error.startswith(("PermissionError", "OSError", "URLError", "ValueError"))
    watched.assert_untouched(result)


@pytest.mark.parametrize("code", HARMLESS.values(), ids=HARMLESS.keys())
async def test_what_python_allows_reaches_nothing(sandbox: Sandbox, watched: Canary, code: str) -> None:
    watched.assert_untouched(await sandbox.run(code, watched.given, box="cpython", timeout_s=20))


@pytest.mark.parametrize("line", FORGED.values(), ids=FORGED.keys())
async def test_a_forged_answer_fails_the_run_and_nothing_else(sandbox: Sandbox, line: bytes) -> None:
    result = await sandbox.run(ALL_FDS.format(line=line), {}, box="cpython")
    assert result.value is None
    assert result.error
    assert len(result.error) <= 4000
    assert 0 <= result.line < 1_000_000
    assert (await sandbox.run("1 + 1", {}, box="cpython")).value == 2


@pytest.mark.parametrize(("code", "error"), STOPPED.values(), ids=STOPPED.keys())
async def test_what_exhausts_is_stopped(
    sandbox: Sandbox, watched: Canary, code: str, error: str | tuple[str, ...]
) -> None:
    seconds = 0.4 if "after 0.4 s" in error or "after 0.4 s" in error[0] else 20
    result = await sandbox.run(code, {}, box="cpython", timeout_s=seconds, max_memory_mb=256)
    assert result.error.startswith(error)
    assert result.value is None
    assert len(result.stdout) <= 1_000_000
    assert len(result.error) <= 4000
    watched.assert_untouched(result)


async def test_the_environment_holds_nothing_of_ours(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "kept")
    monkeypatch.setenv("PYTHONPATH", "kept")
    result = await sandbox.run("import os, sys\n[dict(os.environ), sys.path, sys.argv]", {}, box="cpython")
    assert result.error == ""
    assert "kept" not in str(result.value)


async def test_no_descriptor_of_ours_is_open(sandbox: Sandbox, tmp_path: Path) -> None:
    code = (
        "import os, stat\nfound = []\nfor fd in range(64):\n    try:\n        found.append(os.fstat(fd).st_mode)\n"
        "    except OSError:\n        pass\nall(stat.S_ISFIFO(m) or stat.S_ISSOCK(m) for m in found)"
    )
    (tmp_path / "secret.txt").write_text("x")
    with open(tmp_path / "secret.txt") as file:
        os.set_inheritable(file.fileno(), True)
        assert (await sandbox.run(code, {}, box="cpython")).value is True


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
