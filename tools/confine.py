"""Confine this process for good: Landlock, seccomp and rlimits, with nothing but the standard library.

Runs inside the child, before any untrusted code. What is given up here cannot be taken back. The parent
asks `missing()` whether this machine can do it at all.
"""

import ctypes
import os
import platform
import struct
import sys
from collections.abc import Iterable, Mapping

_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_GET_SECCOMP, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 4, 21, 22, 38

# Landlock file rights, by bit.
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _REMOVE_DIR, _REMOVE_FILE = 1, 2, 4, 8, 16, 32
_MAKE_DIR, _MAKE_REG, _TRUNCATE = 1 << 7, 1 << 8, 1 << 14
_READ = _READ_FILE | _READ_DIR
_SCRATCH = _READ | _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _TRUNCATE
_FILE_ONLY = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
# All rights a kernel knows, by Landlock ABI: what is handled and not granted is refused.
_HANDLED = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}
_HANDLED_NEWEST = (1 << 16) - 1
_NET_TCP, _SCOPE_ALL = 3, 3

_ARCHES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_ALLOW, _KILL, _ERRNO, _EPERM, _ENOSYS = 0x7FFF0000, 0x80000000, 0x00050000, 1, 38
_LOAD, _JEQ, _JGE, _JSET, _RET = 0x20, 0x15, 0x35, 0x45, 0x06

# System calls that need no look at their arguments: number on x86_64 and on aarch64, -1 where there is none.
# Files are Landlock's business; everything that is not listed fails with EPERM.
_PLAIN: Mapping[str, tuple[int, int]] = {
    "read": (0, 63), "write": (1, 64), "futex": (202, 98), "mmap": (9, 222), "munmap": (11, 215),
    "brk": (12, 214), "mprotect": (10, 226), "madvise": (28, 233), "close": (3, 57), "openat": (257, 56),
    "newfstatat": (262, 79), "fstat": (5, 80), "lseek": (8, 62), "pread64": (17, 67),
    "rt_sigprocmask": (14, 135), "rt_sigaction": (13, 134), "rt_sigreturn": (15, 139),
    "clock_gettime": (228, 113), "getrandom": (318, 278), "gettimeofday": (96, 169), "readv": (19, 65),
    "writev": (20, 66), "pwrite64": (18, 68), "mremap": (25, 216), "mincore": (27, 232), "statx": (332, 291),
    "stat": (4, -1), "lstat": (6, -1), "open": (2, -1), "getdents64": (217, 61), "getdents": (78, -1),
    "readlink": (89, -1), "readlinkat": (267, 78), "access": (21, -1), "faccessat": (269, 48),
    "getcwd": (79, 17), "chdir": (80, 49), "fchdir": (81, 50), "mkdir": (83, -1), "mkdirat": (258, 34),
    "rmdir": (84, -1), "unlink": (87, -1), "unlinkat": (263, 35), "rename": (82, -1), "renameat": (264, 38),
    "renameat2": (316, 276), "umask": (95, 166), "ftruncate": (77, 46), "fsync": (74, 82),
    "fdatasync": (75, 83), "fadvise64": (221, 223), "flock": (73, 32), "statfs": (137, 43),
    "fstatfs": (138, 44), "dup": (32, 23), "dup2": (33, -1), "dup3": (292, 24), "pipe": (22, -1),
    "pipe2": (293, 59), "poll": (7, -1), "ppoll": (271, 73), "select": (23, -1), "pselect6": (270, 72),
    "epoll_create": (213, -1), "epoll_create1": (291, 20), "epoll_ctl": (233, 21), "epoll_wait": (232, -1),
    "epoll_pwait": (281, 22), "eventfd2": (290, 19), "getpid": (39, 172), "gettid": (186, 178),
    "getppid": (110, 173), "getuid": (102, 174), "geteuid": (107, 175), "getgid": (104, 176),
    "getegid": (108, 177), "getresuid": (118, 148), "getresgid": (120, 150), "getgroups": (115, 158),
    "uname": (63, 160), "sysinfo": (99, 179), "times": (100, 153), "getrusage": (98, 165),
    "getrlimit": (97, 163), "getcpu": (309, 168), "sched_yield": (24, 124), "sched_getaffinity": (204, 123),
    "sched_getparam": (143, 121), "sched_getscheduler": (145, 120), "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115), "nanosleep": (35, 101), "setitimer": (38, 103), "getitimer": (36, 102),
    "alarm": (37, -1), "pause": (34, -1), "sigaltstack": (131, 132), "rt_sigsuspend": (130, 133),
    "set_robust_list": (273, 99), "set_tid_address": (218, 96), "rseq": (334, 293), "membarrier": (324, 283),
    "restart_syscall": (219, 128), "exit": (60, 93), "exit_group": (231, 94), "time": (201, -1),
    "close_range": (436, 436), "recvfrom": (45, 207), "shutdown": (48, 210), "getsockname": (51, 204),
    "getsockopt": (55, 209),
}  # fmt: skip
_EXECVE = (59, 221)
# The C library falls back to an older call when these "do not exist".
_ABSENT = ((435, 435), (437, 437), (439, 439))  # clone3, openat2, faccessat2


class ConfineError(OSError):
    """This machine cannot confine a process, or a step of it failed."""


def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    return libc


def _landlock_abi(libc: ctypes.CDLL) -> int:
    found: int = libc.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    return max(found, 0)


def missing() -> str:
    """Say what this machine lacks to confine a process; empty when it lacks nothing."""
    if sys.platform != "linux":
        return f"Linux (this is {sys.platform})"
    if platform.machine() not in _ARCHES:
        return f"an x86_64 or aarch64 processor (this is {platform.machine()})"
    libc = _libc()
    if _landlock_abi(libc) < 1:
        return "Landlock (kernel 5.13 or newer, with landlock in its list of security modules)"
    if libc.prctl(_PR_GET_SECCOMP, 0, 0, 0, 0) < 0:
        return "seccomp in the kernel"
    return ""


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise ConfineError(number, f"{what}: {os.strerror(number)}")
    return result


def restrict_files(read: Iterable[str], write: Iterable[str], execute: Iterable[str] = ()) -> None:
    """Leave read access below `read`, full use below `write`, and no other file, TCP port or outside process.

    Paths that do not exist are passed over.

    Raises:
        ConfineError: The kernel refused.
    """
    libc = _libc()
    abi = _landlock_abi(libc)
    handled = _HANDLED.get(abi, _HANDLED_NEWEST)
    fields = [handled, _NET_TCP if abi >= 4 else 0, _SCOPE_ALL if abi >= 6 else 0]
    attributes = struct.pack("=QQQ", *fields)[: 8 if abi < 4 else 16 if abi < 6 else 24]
    size = ctypes.c_size_t(len(attributes))
    ruleset = _checked(libc.syscall(_LANDLOCK_CREATE, attributes, size, ctypes.c_uint32(0)), "Landlock")
    for paths, rights in ((read, _READ), (write, _SCRATCH), (execute, _READ | _EXECUTE)):
        for path in paths:
            _grant(libc, ruleset, path, rights & handled)
    _checked(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    _checked(libc.syscall(_LANDLOCK_RESTRICT, ctypes.c_int(ruleset), ctypes.c_uint32(0)), "Landlock")
    os.close(ruleset)


def _grant(libc: ctypes.CDLL, ruleset: int, path: str, rights: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        allowed = rights if os.path.isdir(path) else rights & _FILE_ONLY
        rule = struct.pack("=Qi", allowed, handle)
        call = libc.syscall(_LANDLOCK_ADD, ctypes.c_int(ruleset), ctypes.c_int(1), rule, ctypes.c_uint32(0))
        _checked(call, f"Landlock rule for {path}")
    finally:
        os.close(handle)


def _step(code: int, value: int, jump_true: int = 0, jump_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, jump_true, jump_false, value & 0xFFFFFFFF)


def _when(number: int, body: bytes) -> bytes:
    """Run `body` for one call and fall through for all others; `body` must end in a verdict."""
    return _step(_JEQ, number, 0, len(body) // 8) + body if number >= 0 else b""


def _argument(index: int, *, high: bool = False) -> bytes:
    return _step(_LOAD, 16 + 8 * index + (4 if high else 0))


def _one_of(values: Iterable[int]) -> bytes:
    """Allow when the loaded word is one of `values`, else refuse."""
    allow = b"".join(_step(_JEQ, value, 0, 1) + _step(_RET, _ALLOW) for value in values)
    return allow + _step(_RET, _ERRNO | _EPERM)


def _with_arguments(column: int) -> bytes:
    """Verdicts on the calls whose arguments decide."""
    deny, allow = _step(_RET, _ERRNO | _EPERM), _step(_RET, _ALLOW)
    thread_only = (
        _argument(0)
        + _step(_JSET, 0x7E020000, 0, 1)  # any new namespace
        + deny
        + _step(_JSET, 0x00010000, 0, 1)  # a thread of this process
        + allow
        + deny
    )
    zero = _step(_JEQ, 0, 1, 0) + deny
    null = zero + _argument(2, high=True) + zero + allow
    verdicts = {
        (56, 220): thread_only,  # clone
        (16, 29): _argument(1) + _one_of([0x5401, 0x5421, 0x541B, 0x5450, 0x5451]),  # ioctl
        (72, 25): _argument(1) + _one_of([0, 1, 2, 3, 4, 5, 6, 7, 1030, 1032]),  # fcntl
        (157, 167): _argument(0) + _one_of([15, 16, 0x53564D41]),  # prctl: names only
        (158, -1): _argument(0) + _one_of([0x1002]),  # arch_prctl: thread-local storage
        (302, 261): _argument(0) + zero + _argument(2) + null,  # prlimit64: read only, of itself
        (53, 199): _argument(0) + _one_of([1]),  # socketpair: local only
        (44, 206): _argument(4) + zero + _argument(4, high=True) + zero + allow,  # sendto: to its pair only
        (234, 131): _argument(0) + _one_of([os.getpid()]),  # tgkill: itself only
    }
    return b"".join(_when(pair[column], body) for pair, body in verdicts.items())


def restrict_calls(*, execve: bool = False) -> None:
    """Leave the system calls that computing needs: no sockets, processes, signals to others, mounts, tracing.

    Args:
        execve: Leave `execve` too, for a wrapper that starts the one program Landlock lets it start.

    Raises:
        ConfineError: The kernel refused.
    """
    column, arch = _ARCHES[platform.machine()]
    allowed = [*_PLAIN.values(), *([_EXECVE] if execve else [])]
    program = _step(_LOAD, 4) + _step(_JEQ, arch, 1, 0) + _step(_RET, _KILL) + _step(_LOAD, 0)
    program += _step(_JGE, 0x40000000, 0, 1) + _step(_RET, _KILL)
    program += b"".join(_when(pair[column], _step(_RET, _ALLOW)) for pair in allowed)
    program += b"".join(_when(pair[column], _step(_RET, _ERRNO | _ENOSYS)) for pair in _ABSENT)
    program += _with_arguments(column) + _step(_RET, _ERRNO | _EPERM)
    steps = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(steps))
    libc = _libc()
    _checked(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    _checked(libc.prctl(_PR_SET_SECCOMP, 2, ctypes.c_char_p(header), 0, 0), "seccomp")


def restrict_resources(*, memory_bytes: int, cpu_s: int | None, file_bytes: int) -> None:
    """Set limits that cannot be raised again: address space, processor seconds, file size, open files.

    `cpu_s` is `None` for a process that serves many runs and is stopped from outside.
    """
    import resource  # not on every system, and this module must import everywhere

    limits = {
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_CPU: resource.RLIM_INFINITY if cpu_s is None else cpu_s,
        resource.RLIMIT_FSIZE: file_bytes,
        resource.RLIMIT_NOFILE: 64,
        resource.RLIMIT_NPROC: 4096,
        resource.RLIMIT_CORE: 0,
    }
    for limit, value in limits.items():
        hard = resource.getrlimit(limit)[1]
        if hard != resource.RLIM_INFINITY:
            value = hard if value == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (value, value))


def die_with_parent(parent: int) -> None:
    """Be killed when the process that started this one ends; `parent` is the id it should have."""
    _libc().prctl(_PR_SET_PDEATHSIG, 9, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
