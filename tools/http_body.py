"""The body of an HTTP answer, unpacked within a cap."""

import zlib
from collections.abc import AsyncIterable

_GZIP = 16 + zlib.MAX_WBITS


class BodyError(Exception):
    """The body is too large, or not what its headers say."""


async def read_body(chunks: AsyncIterable[bytes], encoding: str, max_bytes: int) -> bytes:
    """Read a body; not a byte more than `max_bytes` is kept, packed or unpacked.

    Raises:
        BodyError: It is too large, or cannot be unpacked.
    """
    encoding = encoding.strip().lower() or "identity"
    if encoding not in ("identity", "gzip", "x-gzip"):
        raise BodyError(f"the answer is encoded as {encoding!r}, which was not asked for")
    unpacker = None if encoding == "identity" else _Gunzip(max_bytes)
    body, received = bytearray(), 0
    async for chunk in chunks:
        received += len(chunk)
        body += chunk if unpacker is None else unpacker.feed(chunk, max_bytes - len(body))
        if max(received, len(body)) > max_bytes:
            raise BodyError(f"the answer is larger than {max_bytes} bytes")
    if unpacker is not None and received and not unpacker.complete:
        raise BodyError("the answer is cut off")
    return bytes(body)


class _Gunzip:
    """Unpacks gzip members one after another, never past what there is room for."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._member = zlib.decompressobj(_GZIP)

    @property
    def complete(self) -> bool:
        return self._member.eof

    def feed(self, data: bytes, room: int) -> bytes:
        out = bytearray()
        try:
            while data:
                if self._member.eof:
                    self._member = zlib.decompressobj(_GZIP)
                out += self._member.decompress(data, room - len(out) + 1)
                if len(out) > room:
                    raise BodyError(f"the answer is larger than {self._max_bytes} bytes, unpacked")
                data = self._member.unused_data
        except zlib.error as exc:
            raise BodyError(f"the answer is not the gzip it says it is: {exc}") from exc
        return bytes(out)
