"""Large values of a run, by digest, whole or in slices."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Header
from starlette.responses import Response, StreamingResponse

from planloom.core.artifact import named
from planloom.service.problems import Documented, Problem, described
from planloom.service.visit import Service, Visit, admits
from planloom.state.artifacts import Artifacts

_PART_BYTES = 1 << 20
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Slice:
    """Bytes from `first` up to, and without, `end`."""

    first: int
    end: int


def add_artifacts(api: APIRouter, service: Service) -> None:
    """Add the route."""
    reads = admits(service, "read")
    content = {kind: {"schema": {"type": "string"}} for kind in ("text/plain", "application/json")}
    documented: Documented = {
        200: {"description": "The whole value.", "content": content},
        206: {"description": "The slice that `Range` asks for.", "content": content},
    }

    @api.get(
        "/runs/{run_id}/artifacts/{digest}",
        response_class=Response,
        responses={**described(404, 416), **documented},
        summary="Read a large value",
        tags=["runs"],
    )
    async def get_artifact(
        run_id: str,
        digest: str,
        visit: Annotated[Visit, Depends(reads)],
        range: Annotated[str, Header(description="One slice: `bytes=0-999`, `bytes=1000-`, `bytes=-500`.")] = "",
    ) -> Response:
        """Return a value that models were shown as a handle: text as UTF-8, or JSON.

        It is there only through a run of one's own, whoever else has the same value.
        """
        artifacts = Artifacts(visit.runtime.engine.journal, await visit.run(run_id))
        name = named(digest)
        found = await artifacts.find(name) if _DIGEST.fullmatch(name) else None
        if found is None:
            raise Problem(404, "not-found", "The run has no such artifact.")
        kind, size = found
        part = _slice(range, size)
        media = "text/plain; charset=utf-8" if kind == "text" else "application/json"
        bytes_ = _bytes(artifacts, name, part or Slice(0, size))
        return StreamingResponse(bytes_, 200 if part is None else 206, _headers(name, part, size), media)


def _headers(digest: str, part: Slice | None, size: int) -> dict[str, str]:
    headers = {
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, max-age=31536000, immutable",
        "Content-Disposition": "attachment",
        "Content-Length": str(size),
        "ETag": f'"{digest}"',
        "X-Content-Type-Options": "nosniff",
    }
    if part is not None:
        headers["Content-Length"] = str(part.end - part.first)
        headers["Content-Range"] = f"bytes {part.first}-{part.end - 1}/{size}"
    return headers


def _slice(header: str, size: int) -> Slice | None:
    """Return what a `Range` header asks for; `None` for all, as for a header of another kind.

    Raises:
        Problem: 416, nothing of it is there.
    """
    found = _RANGE.fullmatch(header.strip().lower())
    if found is None or found[0] == "bytes=-":
        return None
    if found[1]:
        first, end = int(found[1]), min(int(found[2]) + 1 if found[2] else size, size)
        if found[2] and int(found[2]) < first:
            return None
    else:
        first, end = max(0, size - int(found[2])), size
    if first >= end:
        raise Problem(
            416, "range-not-satisfiable", f"There are {size} bytes.", headers={"Content-Range": f"bytes */{size}"}
        )
    return Slice(first, end)


async def _bytes(artifacts: Artifacts, digest: str, part: Slice) -> AsyncIterator[bytes]:
    for first in range(part.first, part.end, _PART_BYTES):
        yield await artifacts.read(digest, first, min(_PART_BYTES, part.end - first))
