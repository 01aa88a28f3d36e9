"""Large values of a run, stored once by their content in the journal's database.

They stand beside the events that name them, so that a killed process, a PostgreSQL server elsewhere and the deletion
of old runs need no second thought: a value is committed before its handle is given out, and goes with its run.
"""

import hashlib
import json

from sqlalchemy import Connection, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from planloom.core.artifact import Kind, Reference, named, outlined
from planloom.core.errors import RunError
from planloom.core.json import Json
from planloom.core.plan import RunId
from planloom.core.secrets import Secrets
from planloom.state.chain import JournalDamaged
from planloom.state.journal import Journal
from planloom.state.tables import artifact_parts, artifacts

PART_BYTES = 1 << 18
_HEAD_CHARS, _OUTLINE_CHARS = 400, 800


class Artifacts:
    """The artifacts of one run. Several processes may store the same value; the first one stays."""

    def __init__(self, journal: Journal, run_id: RunId, secrets: Secrets | None = None) -> None:
        self._journal = journal
        self._run_id = run_id
        self._secrets = secrets or Secrets()

    async def keep(self, value: Json) -> Reference:
        """Store a value and return its handle once the end of this process cannot undo it.

        Raises:
            JournalError: It could not be written.
        """
        value = self._secrets.hide(value)
        kind: Kind = "text" if isinstance(value, str) else "json"
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        data = text.encode(errors="replace")
        digest = hashlib.sha256(data).hexdigest()
        await self._journal.transact(lambda connection: self._insert(connection, digest, kind, data))
        outline = outlined(value)[:_OUTLINE_CHARS]
        return Reference(digest=digest, size_bytes=len(data), kind=kind, head=text[:_HEAD_CHARS], outline=outline)

    def _insert(self, connection: Connection, digest: str, kind: Kind, data: bytes) -> None:
        dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
        row = {"run_id": self._run_id, "digest": digest, "kind": kind, "size_bytes": len(data)}
        once = dialect.insert(artifacts).values(row).on_conflict_do_nothing().returning(artifacts.c.digest)
        if connection.execute(once).first() is None:
            return  # it is there
        starts = range(0, len(data), PART_BYTES)
        parts = [
            {"run_id": self._run_id, "digest": digest, "part": number, "data": data[start : start + PART_BYTES]}
            for number, start in enumerate(starts)
        ]
        if parts:
            connection.execute(insert(artifact_parts), parts)

    async def find(self, digest: str) -> tuple[Kind, int] | None:
        """Return what kind of value it is and its size in bytes; `None` when this run has none of that digest."""
        found = select(artifacts.c.kind, artifacts.c.size_bytes)
        mine = found.where(artifacts.c.run_id == self._run_id, artifacts.c.digest == digest)
        row = await self._journal.transact(lambda connection: connection.execute(mine).one_or_none())
        return None if row is None else ("text" if row.kind == "text" else "json", int(row.size_bytes))

    async def read(self, digest: str, offset: int = 0, size: int | None = None) -> bytes:
        """Return some of its bytes; `None` for all from `offset` on, nothing where it is not there."""
        first = offset // PART_BYTES
        found = select(artifact_parts.c.data).where(
            artifact_parts.c.run_id == self._run_id, artifact_parts.c.digest == digest, artifact_parts.c.part >= first
        )
        if size is not None:
            found = found.where(artifact_parts.c.part <= (offset + size) // PART_BYTES)
        ordered = found.order_by(artifact_parts.c.part)
        parts = await self._journal.transact(lambda connection: connection.execute(ordered).scalars().all())
        data = b"".join(bytes(part) for part in parts)[offset - first * PART_BYTES :]
        return data if size is None else data[:size]

    async def check(self) -> None:
        """Hold every value against its digest.

        Raises:
            JournalDamaged: One is not as it was stored.
        """
        mine = select(artifacts.c.digest).where(artifacts.c.run_id == self._run_id)
        digests = await self._journal.transact(lambda connection: connection.execute(mine).scalars().all())
        for digest in digests:
            if hashlib.sha256(await self.read(digest)).hexdigest() != digest:
                where = f"run {self._run_id}: artifact sha256:{digest}"
                raise JournalDamaged(f"{where} is damaged: it is not as it was stored; nothing was run")

    async def load(self, digest: str) -> Json:
        """Return the value itself.

        Raises:
            KeyError: This run has none of that digest.
        """
        found = await self.find(digest)
        if found is None:
            raise KeyError(digest)
        text = (await self.read(digest)).decode()
        value: Json = text if found[0] == "text" else json.loads(text)
        return value

    async def fetch(self, name: str) -> bytes:
        """Return all bytes of the artifact that a handle names.

        Raises:
            RunError: This run has no such artifact.
        """
        if await self.find(named(name)) is None:
            raise RunError(f"run {self._run_id} has no artifact {name!r}")
        return await self.read(named(name))
