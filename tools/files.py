"""The tool `files`: files under one root, which no path and no link leads out of."""

import asyncio
import base64
import binascii
import os
import stat
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from planloom.configs.spec import FilesSpec, ToolSpec
from planloom.core.errors import ConfigError, Problem, ToolError
from planloom.core.json import Json, JsonObject, closed
from planloom.core.plan import Effect, ToolName
from planloom.tools import beneath
from planloom.tools.base import Tool
from planloom.tools.file_slice import find_line, read_slice

_MAX_ENTRIES = 1000
_DEFAULT_CHARS = 50_000
_ENCODING: JsonObject = {"enum": ["utf-8", "base64"], "description": "utf-8 when left out; base64 for what is no text"}
_PATH: JsonObject = {"type": "string", "description": "path relative to the root, with / between folders"}


class FilesSource:
    """`.read`, `.list`, and with write access `.write`."""

    def __init__(self, name: str, spec: ToolSpec, base_dir: Path) -> None:
        files = spec.files
        self._name, self._spec, self._base = name, spec, base_dir
        self._files = files if isinstance(files, FilesSpec) else FilesSpec(root=files or ".")
        self._root = -1

    @property
    def path(self) -> Path | None:
        """Its folder; `None` where it is made when it is not there."""
        return None if self._spec.access == "write" else self._base / self._files.root

    async def open(self) -> None:
        """Open the root; with write access it is made when it does not exist.

        Raises:
            ConfigError: There is no such folder.
        """
        try:
            self._root = await asyncio.to_thread(self._open)
        except OSError as exc:
            problem = Problem(f"cannot open folder {self._files.root!r}: {exc.strerror}", f"tools.{self._name}.files")
            raise ConfigError(self._base, [problem]) from exc

    def _open(self) -> int:
        root = self._base / self._files.root
        if self._spec.access == "write":
            root.mkdir(parents=True, exist_ok=True)
        return os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    async def close(self) -> None:
        """Close the root."""
        if self._root >= 0:
            os.close(self._root)
            self._root = -1

    def tools(self) -> tuple[Tool, ...]:
        """The operations that the access allows."""
        number: JsonObject = {"type": "integer", "minimum": 0}
        read: JsonObject = {
            "path": _PATH,
            "offset": {**number, "description": "bytes to skip: the next_offset of the answer before"},
            "line": {**number, "minimum": 1, "description": "first line, counted from 1, in place of offset"},
            "lines": {**number, "minimum": 1, "description": "lines to return at most"},
            "limit": {**number, "description": f"characters to return at most, {_DEFAULT_CHARS} when left out"},
            "encoding": _ENCODING,
        }
        tools = [
            self._tool(
                "read",
                "Read a file, or a part. Returns {text, next_offset, size_bytes}; at the end next_offset is null.",
                read,
                ["path"],
                self._read,
            ),
            self._tool(
                "list",
                "List a folder. Returns {entries: [{name, type, size_bytes}], truncated}.",
                {"path": _PATH},
                [],
                self._list,
            ),
        ]
        if self._spec.access == "write":
            write: JsonObject = {"path": _PATH, "text": {"type": "string"}, "encoding": _ENCODING}
            about = "Write a file, replacing it whole; folders are made. Returns {path, size_bytes}."
            tools.append(self._tool("write", about, write, ["path", "text"], self._write, "write"))
        return tuple(tools)

    def _tool(
        self,
        operation: str,
        about: str,
        properties: JsonObject,
        required: list[str],
        work: Callable[[JsonObject], Json],
        effect: Effect = "read",
    ) -> Tool:
        async def call(args: JsonObject) -> Json:
            try:
                return await asyncio.to_thread(work, args)
            except beneath.OutsideError as exc:
                raise ToolError(f"{self._name}.{operation}", f"{args.get('path')!r}: {exc}", permanent=True) from exc
            except OSError as exc:
                raise ToolError(f"{self._name}.{operation}", f"{args.get('path')!r}: {exc.strerror}") from exc

        return Tool(
            name=ToolName(f"{self._name}.{operation}"),
            description=f"{self._spec.description} {about}".strip(),
            parameters=closed(properties, required),
            effect=effect,
            idempotent=effect == "write",
            call=call,
            timeout_s=self._spec.timeout,
            max_parallel=self._spec.max_parallel,
            control=frozenset({"path"}) if effect == "write" else None,
        )

    def _read(self, args: JsonObject) -> Json:
        offset, limit = _int(args, "offset", 0), min(_int(args, "limit", _DEFAULT_CHARS), self._files.max_bytes)
        with open(beneath.open_file(self._root, _text(args, "path"), os.O_RDONLY), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if "line" in args:
                offset = find_line(file, _int(args, "line", 1))
            if args.get("encoding") == "base64":
                file.seek(offset)
                raw = file.read(limit)
                end = offset + len(raw)
                text, next_offset = base64.b64encode(raw).decode(), end if end < size else None
            else:
                try:
                    found = read_slice(file, offset, limit=limit, lines=_int(args, "lines", 0) or None)
                except UnicodeDecodeError as exc:
                    raise beneath.OutsideError(f"not UTF-8 text ({exc.reason}); read it as base64") from exc
                text, next_offset = found.text, found.next_offset
        return {"text": text, "next_offset": next_offset, "size_bytes": size}

    def _list(self, args: JsonObject) -> Json:
        path = str(args.get("path", "") or ".")
        with _handle(beneath.open_folder(self._root, path)) as handle, os.scandir(handle) as entries:
            found = [_entry(entry) for _, entry in zip(range(_MAX_ENTRIES + 1), entries, strict=False)]
        found.sort(key=lambda entry: str(entry["name"]))
        return {"entries": [*found[:_MAX_ENTRIES]], "truncated": len(found) > _MAX_ENTRIES}

    def _write(self, args: JsonObject) -> Json:
        path, text = _text(args, "path"), _text(args, "text")
        try:
            content = base64.b64decode(text, validate=True) if args.get("encoding") == "base64" else text.encode()
        except (binascii.Error, UnicodeEncodeError) as exc:
            raise beneath.OutsideError(f"the text cannot be written: {exc}") from exc
        if len(content) > self._files.max_bytes:
            raise beneath.OutsideError(f"{len(content)} bytes are more than {self._files.max_bytes}")
        beneath.replace_file(self._root, path, content)
        return {"path": path, "size_bytes": len(content)}


@contextmanager
def _handle(handle: int) -> Generator[int]:
    try:
        yield handle
    finally:
        os.close(handle)


def _entry(entry: os.DirEntry[str]) -> JsonObject:
    found = entry.stat(follow_symlinks=False)
    kinds = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link"}
    return {
        "name": entry.name,
        "type": kinds.get(stat.S_IFMT(found.st_mode), "other"),
        "size_bytes": found.st_size,
    }


def _text(args: JsonObject, name: str) -> str:
    value = args[name]
    if not isinstance(value, str):
        raise beneath.OutsideError(f"{name}: expected text")
    return value


def _int(args: JsonObject, name: str, default: int) -> int:
    value = args.get(name, default)
    return value if isinstance(value, int) else default
