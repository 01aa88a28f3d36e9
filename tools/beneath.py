"""Open files below a folder so that no `..`, link or race leads out of it."""

import contextlib
import ctypes
import errno
import os
import secrets
import stat
import struct
import sys
from pathlib import PurePosixPath

_OPENAT2 = 437  # the same number on every architecture
_NO_XDEV, _NO_MAGICLINKS, _BENEATH = 0x01, 0x02, 0x08
_TRIES = 16
_MAX_PARTS = 64
_MODE = 0o600


class OutsideError(Exception):
    """A path that leads out of the root, or to something that is not a plain file."""


def open_file(root: int, path: str, flags: int) -> int:
    """Open the regular file at `path` below the folder `root` and return its descriptor.

    Raises:
        OutsideError: The path leads out of the root, or to something other than a file.
        OSError: It cannot be opened.
    """
    handle = _open(root, path, flags | os.O_NONBLOCK | os.O_NOCTTY)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OutsideError("not a file")
    return handle


def open_folder(root: int, path: str) -> int:
    """Open the folder at `path` below the folder `root` and return its descriptor.

    Raises:
        OutsideError: The path leads out of the root.
        OSError: It is not there, or not a folder.
    """
    return _open(root, path, os.O_RDONLY | os.O_DIRECTORY)


def replace_file(root: int, path: str, content: bytes) -> None:
    """Write `content` to a new file and put it at `path`, in one step; missing folders are made.

    Raises:
        OutsideError: The path leads out of the root, or something other than a file is there.
        OSError: It cannot be written.
    """
    *folders, name = _parts(path)
    parent = _make_folders(root, folders)
    try:
        mode = _mode_of(parent, name)
        temporary = f".{secrets.token_hex(8)}.tmp"
        try:
            _write_new(parent, temporary, content, mode)
            os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
            os.fsync(parent)
        except BaseException:
            _forget(parent, temporary)
            raise
    finally:
        os.close(parent)


def _parts(path: str) -> list[str]:
    """Split a relative path.

    Raises:
        OutsideError: It is absolute, empty, or has a part that is not a name.
    """
    pure = PurePosixPath(path)
    if pure.is_absolute():
        raise OutsideError("expected a path relative to the root")
    if ".." in pure.parts or "\0" in path or not pure.parts:
        raise OutsideError("expected the path of a file below the root, without `..`")
    if len(pure.parts) > _MAX_PARTS:
        raise OutsideError(f"the path is more than {_MAX_PARTS} folders deep")
    if any("\ud800" <= character <= "\udfff" for character in path):
        raise OutsideError("the path is not text that a file can be named with")
    return list(pure.parts)


def _open(root: int, path: str, flags: int) -> int:
    parts = [] if path in (".", "./") else _parts(path)
    flags |= os.O_CLOEXEC
    try:
        if (handle := _openat2(root, "/".join(parts) or ".", flags)) is not None:
            return handle
        return _open_stepwise(root, parts, flags)
    except OSError as exc:
        if exc.errno in (errno.EXDEV, errno.ELOOP):
            raise OutsideError("a link or a mount leads out of the root") from exc
        raise


def _openat2(root: int, path: str, flags: int) -> int | None:
    """Let the kernel resolve `path` below `root`; `None` where it has no such call."""
    if sys.platform != "linux":
        return None
    how = struct.pack("=QQQ", flags, 0, _BENEATH | _NO_MAGICLINKS | _NO_XDEV)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    size = ctypes.c_size_t(len(how))
    number = errno.EAGAIN
    for _ in range(_TRIES):
        handle: int = libc.syscall(_OPENAT2, ctypes.c_int(root), os.fsencode(path), how, size)
        if handle >= 0:
            return handle
        number = ctypes.get_errno()
        if number != errno.EAGAIN:  # what the kernel says when somebody renames folders at that moment
            break
    if number in (errno.ENOSYS, errno.EPERM):
        return None
    raise OSError(number, os.strerror(number))


def _open_stepwise(root: int, parts: list[str], flags: int) -> int:
    """Open part by part, following no link at all."""
    here = os.dup(root)
    folder = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        for part in parts[:-1]:
            here, above = os.open(part, folder, dir_fd=here), here
            os.close(above)
        found = os.open(parts[-1] if parts else ".", flags | os.O_NOFOLLOW, dir_fd=here)
    finally:
        os.close(here)
    if os.fstat(found).st_dev != os.fstat(root).st_dev:
        os.close(found)
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
    return found


def _make_folders(root: int, folders: list[str]) -> int:
    """Open the folder at `folders`, making what is missing, and return its descriptor."""
    for depth in range(1, len(folders) + 1):
        above = _open(root, "/".join(folders[: depth - 1]) or ".", os.O_RDONLY | os.O_DIRECTORY)
        try:
            with contextlib.suppress(FileExistsError):
                os.mkdir(folders[depth - 1], 0o700, dir_fd=above)
        finally:
            os.close(above)
    return _open(root, "/".join(folders) or ".", os.O_RDONLY | os.O_DIRECTORY)


def _mode_of(parent: int, name: str) -> int:
    """Return the permissions of the file that is replaced, or those of a new one.

    Raises:
        OutsideError: Something other than a file is there.
    """
    try:
        found = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return _MODE
    if not stat.S_ISREG(found.st_mode):
        raise OutsideError("something other than a file is there")
    return found.st_mode & 0o777


def _write_new(parent: int, name: str, content: bytes, mode: int) -> None:
    handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, _MODE, dir_fd=parent)
    with open(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())


def _forget(parent: int, name: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=parent)
