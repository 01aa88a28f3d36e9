"""Facts and results that outlive their runs, in the journal's database: kept, found, forgotten.

An entry is one row by tenant, namespace and id, and an id follows from what the entry is about. So to keep the same
entry twice, after a crash say, changes nothing, and a newer entry takes an older one's place, whoever writes first.
"""

import json
import time
from collections.abc import Collection, Sequence
from dataclasses import asdict, replace

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, Connection, Row, and_, delete, func, not_, or_, select, text, true, update
from sqlalchemy.dialects import postgresql, sqlite

from planloom.core.fusion import fuse
from planloom.core.json import Json
from planloom.core.memory import Memory, MemoryKind, Origin, Way
from planloom.state.journal import Journal
from planloom.state.tables import memories
from planloom.state.vectors import Vector, numbers_by_nearness, stored
from planloom.state.words import numbers_by_words

_ORIGIN = TypeAdapter(Origin)
_MAX_VALUE_CHARS = 20_000
_MAX_TEXT_CHARS = 8_000
_MAX_SUBJECT_CHARS = 500
_STAY = ("tenant", "namespace", "id", "recalls")
"""What stays when a newer entry takes an older one's place."""
_CANDIDATES = 50
"""Of each of two rankings that are fused: what stands at the end of both may still come out on top."""
_TOLD = [column for column in memories.c if column.name != "vector"]
"""What is read of an entry; its vector is kilobytes that only a comparison needs."""
KINDS: tuple[MemoryKind, ...] = ("fact", "result")


class Memories:
    """The memories of one namespace of one tenant. Nothing here reaches into another tenant.

    Args:
        journal: In whose database they are.
        namespace: Where to keep and look; `None` looks in all namespaces of the tenant, and keeps nothing.
        tenant: Whose they are.

    Raises:
        JournalError: Every method, when the database cannot be read or written.
    """

    def __init__(self, journal: Journal, namespace: str | None, tenant: str = "") -> None:
        self._journal = journal
        self._namespace, self._tenant = namespace, tenant

    async def keep(self, memory: Memory, *, max_entries: int, echo: bool = False) -> bool:
        """Keep an entry, unless one at least as new is there on its subject; tell whether it was kept.

        Args:
            memory: The entry; what is too long in it is cut.
            max_entries: So many stay in the namespace; those not used for longest go.
            echo: Whoever made it was shown what is there: the same value again confirms nothing and makes nothing new.
        """

        def work(connection: Connection) -> bool:
            self._alone(connection)
            number = self._put(connection, memory, self._namespace or "", echo=echo)
            if number is not None:
                self._make_room(connection, number, max_entries)
            return number is not None

        return await self._journal.transact(work)

    async def take_in(self, entries: Sequence[Memory]) -> int:
        """Keep entries of another database, all or none, each by the rules of `keep`; return how many are new or newer.

        They stay in their own namespaces where this one is `None`. None is pushed out: the next run that keeps
        something makes room.
        """
        now = time.time()
        alive = [entry for entry in entries if entry.expires_at is None or entry.expires_at > now]

        def work(connection: Connection) -> int:
            self._alone(connection)
            spaces = [entry.namespace if self._namespace is None else self._namespace for entry in alive]
            put = [self._put(connection, entry, space) for entry, space in zip(alive, spaces, strict=True)]
            return sum(number is not None for number in put)

        return await self._journal.transact(work)

    def _put(self, connection: Connection, memory: Memory, namespace: str, *, echo: bool = False) -> int | None:
        """Write an entry and return its number; `None` where what is there stays."""
        row = self._row(memory, namespace)
        dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
        fresh = dialect.insert(memories).values(row)
        newer = fresh.excluded.at > memories.c.at
        if echo:
            newer &= fresh.excluded.value != memories.c.value
        # The id tells it already, unless somebody edited a file that is taken in.
        newer &= or_(fresh.excluded.untrusted == "[]", memories.c.untrusted != "[]")
        kept = fresh.on_conflict_do_update(
            index_elements=["tenant", "namespace", "id"],
            set_={name: fresh.excluded[name] for name in row if name not in _STAY},
            where=newer,
        ).returning(memories.c.number)
        number = connection.execute(kept).scalar()
        return None if number is None else int(number)

    def _row(self, memory: Memory, namespace: str) -> dict[str, object]:
        value = json.dumps(memory.value, ensure_ascii=False)
        return {
            "tenant": self._tenant,
            "namespace": namespace,
            "id": memory.id,
            "kind": memory.kind,
            "subject": _plain(memory.subject, _MAX_SUBJECT_CHARS),
            "text": _plain(memory.text, _MAX_TEXT_CHARS),
            "value": value if len(value) <= _MAX_VALUE_CHARS else "null",
            "untrusted": json.dumps(memory.untrusted),
            "origin": json.dumps(asdict(memory.origin)),
            "at": memory.at,
            "expires_at": memory.expires_at,
            "used_at": memory.at,
            "recalls": memory.recalls,
            "vector": None,
            "vector_model": None,
            "dimensions": None,
        }

    def _alone(self, connection: Connection) -> None:
        """Let no other writer of this tenant come in between; in SQLite the transaction itself keeps others out."""
        if connection.dialect.name != "sqlite":
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:who))"), {"who": f"memory {self._tenant}"})

    def _make_room(self, connection: Connection, newest: int, max_entries: int) -> None:
        """Drop what has run out, and what is too much: the entries not used for longest, never the newest one."""
        connection.execute(delete(memories).where(self._mine, memories.c.expires_at <= time.time()))
        count = connection.execute(select(func.count()).select_from(memories).where(self._mine)).scalar_one()
        if count > max_entries:
            others = select(memories.c.number).where(self._mine, memories.c.number != newest)
            oldest = others.order_by(memories.c.used_at, memories.c.recalls, memories.c.number)
            gone = oldest.limit(count - max_entries)
            connection.execute(delete(memories).where(memories.c.number.in_(gone.scalar_subquery())))

    @property
    def _mine(self) -> ColumnElement[bool]:
        here = true() if self._namespace is None else memories.c.namespace == self._namespace
        return and_(memories.c.tenant == self._tenant, here)

    def _alive(self, kinds: Collection[MemoryKind], *, trusted_only: bool) -> ColumnElement[bool]:
        fresh = or_(memories.c.expires_at.is_(None), memories.c.expires_at > time.time())
        trusted = memories.c.untrusted == "[]" if trusted_only else true()
        return and_(self._mine, fresh, trusted, memories.c.kind.in_([*kinds]))

    async def search(
        self,
        query: str,
        *,
        limit: int,
        kinds: Collection[MemoryKind] = KINDS,
        trusted_only: bool = False,
        near: Vector | None = None,
    ) -> list[Memory]:
        """Return the entries that fit a free text best, best first; nothing where no word fits and no vector is near.

        Args:
            query: What they should be about.
            limit: So many at most.
            kinds: Which.
            trusted_only: Leave out what may hold text of others.
            near: What the text means: entries with vectors near to it are found too, and both rankings are fused.
        """
        alive = self._alive(kinds, trusted_only=trusted_only)

        def work(connection: Connection) -> list[Memory]:
            many = limit if near is None else max(limit, _CANDIDATES)
            ranked: dict[Way, list[int]] = {"words": numbers_by_words(connection, query, alive, many)}
            if near is not None:
                ranked["vectors"] = numbers_by_nearness(connection, near, alive, many)
            numbers = fuse([*ranked.values()])[:limit]
            rows = connection.execute(select(*_TOLD).where(memories.c.number.in_(numbers))).fetchall()
            found = {int(row.number): _memory(row) for row in rows}
            ways = {number: tuple(way for way in ranked if number in ranked[way]) for number in numbers}
            return [replace(found[number], found_by=ways[number]) for number in numbers if number in found]

        return await self._journal.transact(work)

    async def without(
        self, vector: Vector, *, limit: int, kinds: Collection[MemoryKind] = KINDS, trusted_only: bool = False
    ) -> list[Memory]:
        """Return the newest entries that have no vector which could be compared with this one."""
        alive = self._alive(kinds, trusted_only=trusted_only)
        other = or_(memories.c.vector.is_(None), not_(vector.alike))
        newest = select(*_TOLD).where(alive, other).order_by(memories.c.at.desc(), memories.c.number.desc())
        rows = await self._journal.transact(lambda connection: connection.execute(newest.limit(limit)).fetchall())
        return [_memory(row) for row in rows]

    async def place(self, placed: Sequence[tuple[Memory, Vector]]) -> None:
        """Give entries their vectors; one that a newer entry has replaced since keeps what it has."""

        def work(connection: Connection) -> None:
            self._alone(connection)
            for memory, vector in placed:
                same = (
                    memories.c.namespace == memory.namespace,
                    memories.c.id == memory.id,
                    memories.c.at == memory.at,
                )
                packed = stored(connection, vector)
                told = {"vector": packed, "vector_model": vector.model, "dimensions": len(vector.values)}
                connection.execute(update(memories).where(self._mine, *same).values(told))

        await self._journal.transact(work)

    async def recalled(self, shown: Sequence[Memory]) -> None:
        """Count that entries were shown to a model."""
        now, ids = time.time(), [memory.id for memory in shown]
        counted = update(memories).where(self._mine, memories.c.id.in_(ids))

        def work(connection: Connection) -> None:
            self._alone(connection)
            connection.execute(counted.values(recalls=memories.c.recalls + 1, used_at=now))

        if ids:
            await self._journal.transact(work)

    async def all(self, *, limit: int | None = None) -> list[Memory]:
        """Return the entries, newest first, also those that have run out and are not dropped yet."""
        newest = select(*_TOLD).where(self._mine).order_by(memories.c.at.desc(), memories.c.number.desc())
        rows = await self._journal.transact(lambda connection: connection.execute(newest.limit(limit)).fetchall())
        return [_memory(row) for row in rows]

    async def forget(
        self,
        ids: Collection[str] | None = None,
        *,
        run_id: str | None = None,
        before: float | None = None,
        source: str | None = None,
    ) -> list[Memory]:
        """Delete the entries for which all that is named holds, and return them; without a name, all of them.

        Args:
            ids: These.
            run_id: Those that this run kept.
            before: Those kept before that time, in seconds since the epoch.
            source: Those that may hold text of a tool (`web.get`, or `web` for all of its) or input (`inputs.page`).
        """
        wanted = [self._mine]
        if ids is not None:
            wanted.append(memories.c.id.in_([*ids]))
        if run_id is not None:
            wanted.append(memories.c.origin.contains(f'"run_id": {json.dumps(run_id)}', autoescape=True))
        if before is not None:
            wanted.append(memories.c.at < before)
        if source is not None:
            of_it = (f'"{source}"', f'"{source}.')  # names are plain words: JSON escapes nothing in them
            wanted.append(or_(*(memories.c.untrusted.contains(name, autoescape=True) for name in of_it)))

        def work(connection: Connection) -> list[Memory]:
            self._alone(connection)
            gone = connection.execute(delete(memories).where(*wanted).returning(*_TOLD))
            return [_memory(row) for row in gone.fetchall()]

        return await self._journal.transact(work)


def _plain(words: str, most: int) -> str:
    """Return a text as both databases take it, cut to `most` characters."""
    words = words.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()
    return words if len(words) <= most else f"{words[:most]}... [cut]"


def _memory(row: Row[tuple[object, ...]]) -> Memory:
    value: Json = json.loads(row.value)
    return Memory(
        id=row.id,
        kind=row.kind,
        subject=row.subject,
        text=row.text,
        value=value,
        origin=_ORIGIN.validate_json(row.origin),
        at=row.at,
        untrusted=tuple(json.loads(row.untrusted)),
        expires_at=row.expires_at,
        recalls=row.recalls,
        namespace=row.namespace,
        vector_model=row.vector_model or "",
    )
