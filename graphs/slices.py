"""The tool that reads a large value in slices: from a byte or a line on, or of what stands at a path in JSON."""

import io
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from planloom.core.artifact import named
from planloom.core.errors import ToolError
from planloom.core.json import Json, JsonObject, closed
from planloom.core.refs import RefError, as_text, read_path, walk
from planloom.models.base import ToolOffer
from planloom.state.artifacts import Artifacts
from planloom.tools.file_slice import Slice, find_line, read_slice

READ = "artifact__read"
_DEFAULT_CHARS, _MAX_CHARS = 10_000, 30_000
_CHARACTER_BYTES = 4
_NUMBER: JsonObject = {"type": "integer", "minimum": 0}
OFFER = ToolOffer(
    name=READ,
    description=(
        "Read a part of a large value that is shown as {artifact, bytes, kind, head, outline}."
        " Returns {text, next_offset}; at the end next_offset is null."
        " Such an object may also be passed to another tool as an argument: the tool gets the whole value."
    ),
    parameters=closed(
        {
            "artifact": {"type": "string", "description": "sha256:..."},
            "path": {"type": "string", "description": 'only what stands there in JSON: items[3].name, ["a key"][0]'},
            "offset": {**_NUMBER, "description": "bytes to skip: the next_offset of the answer before"},
            "line": {**_NUMBER, "description": "line to start at, from 1, in place of offset"},
            "lines": {**_NUMBER, "description": "lines at most"},
            "limit": {**_NUMBER, "description": f"characters, {_DEFAULT_CHARS} when left out, {_MAX_CHARS} at most"},
        },
        required=["artifact"],
    ),
)


class _Wanted(BaseModel):
    """What a model asks for."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    artifact: str
    path: str = ""
    offset: int = Field(default=0, ge=0)
    line: int | None = Field(default=None, ge=1)
    lines: int | None = Field(default=None, ge=1)
    limit: int = Field(default=_DEFAULT_CHARS, ge=0)


@dataclass(frozen=True, slots=True)
class Slices:
    """Reads the artifacts of one run."""

    artifacts: Artifacts

    async def read(self, args: JsonObject, known: set[str]) -> Json:
        """Return a slice.

        Args:
            args: What the model asks for.
            known: Digests that it may ask for.

        Raises:
            ToolError: It asks for what it was not given, or what is not there.
        """
        try:
            wanted = _Wanted.model_validate(args)
        except ValidationError as exc:
            first = exc.errors(include_url=False, include_context=False)[0]
            raise ToolError(READ, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from exc
        digest = named(wanted.artifact)
        found = await self.artifacts.find(digest) if digest in known else None
        if found is None:
            raise ToolError(READ, f"this node was given no artifact {wanted.artifact[:100]!r}")
        if wanted.path or wanted.line is not None or wanted.lines is not None:
            piece = _slice(await self._whole(digest, wanted.path), wanted)
        else:
            piece = await self._from_byte(digest, wanted, found[1])
        return {"text": piece.text, "next_offset": piece.next_offset}

    async def _whole(self, digest: str, path: str) -> bytes:
        if not path:
            return await self.artifacts.read(digest)
        value = await self.artifacts.load(digest)
        if isinstance(value, str):
            raise ToolError(READ, "expected an artifact of kind json with path, found text")
        steps = path if path.startswith(("[", ".")) else f".{path}"
        try:
            return as_text(walk(value, read_path(steps), path)).encode()
        except RefError as exc:
            raise ToolError(READ, f"path: {exc}") from exc

    async def _from_byte(self, digest: str, wanted: _Wanted, size_bytes: int) -> Slice:
        """Read no more than the slice: a value may be large."""
        offset, limit = wanted.offset, min(wanted.limit, _MAX_CHARS)
        raw = await self.artifacts.read(digest, offset, (limit + 1) * _CHARACTER_BYTES)
        skipped = next((i for i, byte in enumerate(raw) if byte & 0xC0 != 0x80), len(raw))
        text = raw[skipped:].decode(errors="ignore")[:limit]
        end = offset + skipped + len(text.encode())
        return Slice(text, end if end < size_bytes else None)


def _slice(data: bytes, wanted: _Wanted) -> Slice:
    file = io.BytesIO(data)
    offset = wanted.offset if wanted.line is None else find_line(file, wanted.line)
    return read_slice(file, offset, limit=min(wanted.limit, _MAX_CHARS), lines=wanted.lines)
