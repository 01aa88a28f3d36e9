"""A slice of a large text file: found by byte or by line, never read whole."""

import codecs
from dataclasses import dataclass
from typing import BinaryIO

_PIECE = 1 << 20
_LONGEST_CHARACTER = 4


@dataclass(frozen=True, slots=True)
class Slice:
    """A piece of text and where the next one starts, in bytes; `None` at the end of the file."""

    text: str
    next_offset: int | None


def find_line(file: BinaryIO, line: int) -> int:
    """Return the byte at which a line starts, counted from 1; the end of the file where there is no such line."""
    file.seek(0)
    left, at = line - 1, 0
    while left > 0 and (piece := file.read(_PIECE)):
        count = piece.count(b"\n")
        if count >= left:
            start = -1
            for _ in range(left):
                start = piece.index(b"\n", start + 1)
            return at + start + 1
        left, at = left - count, at + len(piece)
    return at


def read_slice(file: BinaryIO, offset: int, *, limit: int, lines: int | None) -> Slice:
    """Return text from a byte on; a character that starts before it is left out.

    Args:
        file: UTF-8 text.
        offset: Bytes to skip.
        limit: Characters at most.
        lines: Lines at most.

    Raises:
        UnicodeDecodeError: It is not UTF-8.
    """
    file.seek(offset)
    raw = file.read(limit * _LONGEST_CHARACTER + _LONGEST_CHARACTER)
    skipped = _continued(raw) if offset else 0
    text = codecs.getincrementaldecoder("utf-8")().decode(raw[skipped:])[:limit]
    if lines is not None:
        text = _first_lines(text, lines)
    end = offset + skipped + len(text.encode())
    if not text and limit and lines != 0:
        raw[skipped:].decode()  # a file that stops within a character is no text
    file.seek(end)
    return Slice(text, end if file.read(1) else None)


def _first_lines(text: str, lines: int) -> str:
    at = 0
    for _ in range(lines):
        found = text.find("\n", at)
        if found < 0:
            return text
        at = found + 1
    return text[:at]


def _continued(raw: bytes) -> int:
    """Count the bytes at the start that belong to a character begun before."""
    count = 0
    while count < len(raw) and count < _LONGEST_CHARACTER and raw[count] & 0xC0 == 0x80:
        count += 1
    return count
