# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
"""LangGraph's checkpoints in the journal's database; only plain data is ever read back from them."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from copy import copy
from typing import TYPE_CHECKING, TypeVar, cast

import aiosqlite
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from sqlalchemy import URL

from planloom.state.chain import JournalDamaged
from planloom.state.seal import Seal
from planloom.state.store import JournalError, JournalUnusable

if TYPE_CHECKING:
    from psycopg import AsyncConnection
    from psycopg.rows import DictRow
    from psycopg_pool import AsyncConnectionPool

T = TypeVar("T")
_SEAL = "seal"
_KINDS = frozenset(("null", "bytes", "msgpack"))
"""Forms that the serialiser writes; others that it could read are refused."""
_SETUP_LOCK = 0x706C616E
"""Advisory lock of whoever makes LangGraph's tables: `setup` is not safe beside itself."""


_UNREADABLE = (ValueError, KeyError, TypeError, IndexError, AttributeError, NotImplementedError)
"""What LangGraph and its libraries raise for bytes that are not theirs."""


class _Sealed(SerializerProtocol):
    """Values of one run's checkpoints: plain data only, each with a seal that no other run has."""

    def __init__(self, seal: Seal, run_id: str) -> None:
        self._plain = JsonPlusSerializer(allowed_msgpack_modules=None)
        self._seal = seal
        self._run_id = run_id

    def dumps_typed(self, obj: object) -> tuple[str, bytes]:
        kind, data = self._plain.dumps_typed(obj)
        return kind, self._seal.of("checkpoint", self._run_id, kind, data).encode() + b"\n" + data

    def loads_typed(self, data: tuple[str, bytes]) -> object:
        kind, (sealed, _, value) = data[0], data[1].partition(b"\n")
        told = sealed.decode(errors="replace")
        if kind not in _KINDS or not self._seal.fits(told, "checkpoint", self._run_id, kind, value):
            raise JournalDamaged(
                f"run {self._run_id}: a checkpoint is damaged: {self._seal.reason(told)}; nothing was run"
            )
        return self._plain.loads_typed((kind, value))


class _Patient(BaseCheckpointSaver[str]):
    """A checkpointer that waits for a database that is away, as the journal does, and trusts nothing it reads back.

    Every write of LangGraph's names what it writes, so that one whose answer was lost can be made again.
    """

    def __init__(
        self,
        saver: BaseCheckpointSaver[str],
        seal: Seal,
        errors: tuple[type[Exception], ...],
        outage_s: float,
        *,
        whole: bool = False,
    ) -> None:
        """Wrap a saver.

        Args:
            saver: Reads and writes.
            seal: The journal's.
            errors: What it raises while its database is away.
            outage_s: Seconds to wait for that.
            whole: A statement that is cancelled is waited for first: all runs share one connection, and a transaction
                that is left open on it locks the journal for all of them.
        """
        super().__init__(serde=saver.serde)
        self._whole = whole
        self._saver = saver
        self._seal = seal
        self._errors = errors
        self._outage_s = outage_s

    def get_next_version(self, current: str | None, channel: None) -> str:
        """Return the version after `current`, in the form of the saver's."""
        return self._saver.get_next_version(current, channel)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Return a checkpoint.

        Raises:
            JournalDamaged: It is not as it was written, or that of another run.
        """
        run_id = _run_of(config)
        try:
            found = await self._patiently(lambda: self._of(run_id).aget_tuple(config))
        except _UNREADABLE as exc:
            raise JournalDamaged(f"run {run_id}: a checkpoint is damaged: {exc}; nothing was run") from exc
        if found is not None:
            self._check(run_id, found)
        return found

    def _check(self, run_id: str, found: CheckpointTuple) -> None:
        told = str(found.metadata.get(_SEAL, ""))
        inner = found.checkpoint["channel_values"].get("run_id", run_id)
        if inner != run_id or not self._seal.fits(told, *_sealed_parts(run_id, found.checkpoint)):
            reason = f"it is that of run {inner}" if inner != run_id else self._seal.reason(told)
            where = f"run {run_id}: checkpoint {found.checkpoint['id']}"
            raise JournalDamaged(f"{where} is damaged: {reason}; nothing was run")

    def _of(self, run_id: str) -> BaseCheckpointSaver[str]:
        """Return the saver, with values sealed for one run."""
        saver = copy(self._saver)
        saver.serde = _Sealed(self._seal, run_id)
        return saver

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Write a checkpoint."""
        run_id = _run_of(config)
        told = cast("CheckpointMetadata", {**metadata, _SEAL: self._seal.of(*_sealed_parts(run_id, checkpoint))})
        return await self._patiently(lambda: self._of(run_id).aput(config, checkpoint, told, new_versions))

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, object]], task_id: str, task_path: str = ""
    ) -> None:
        """Write what a stage handed on."""
        saver = self._of(_run_of(config))
        await self._patiently(lambda: saver.aput_writes(config, writes, task_id, task_path))

    async def adelete_thread(self, thread_id: str) -> None:
        """Delete all checkpoints of a run."""
        await self._patiently(lambda: self._saver.adelete_thread(thread_id))

    async def _patiently(self, work: Callable[[], Coroutine[None, None, T]]) -> T:
        """Do `work`, again where the database could not be reached.

        Raises:
            JournalError: It stayed away, or refused.
        """
        loop = asyncio.get_running_loop()
        gives_up, pause_s = loop.time() + self._outage_s, 0.1
        while True:
            try:
                return await (_uncut(work()) if self._whole else work())
            except self._errors as exc:
                if loop.time() + pause_s > gives_up:
                    raise JournalError(f"cannot write the journal's checkpoints: {exc}") from exc
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, 2.0)


async def _uncut(work: Coroutine[None, None, T]) -> T:
    """Do `work` to its end, also where whoever waits for it is cancelled meanwhile."""
    doing = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(doing)
    except asyncio.CancelledError:
        await asyncio.wait([doing])
        raise


def _run_of(config: RunnableConfig) -> str:
    return str(config.get("configurable", {}).get("thread_id", ""))


def _sealed_parts(run_id: str, checkpoint: Checkpoint) -> tuple[str, ...]:
    """Return what a checkpoint's seal binds besides its values, which have seals of their own."""
    rest = {name: value for name, value in checkpoint.items() if name not in ("channel_values", "pending_sends")}
    return ("checkpoint", run_id, json.dumps(rest, sort_keys=True))


@asynccontextmanager
async def open_checkpointer(
    url: URL, seal: Seal, *, outage_s: float = 60.0
) -> AsyncGenerator[BaseCheckpointSaver[str]]:
    """Open the checkpoint tables.

    Args:
        url: The journal's database.
        seal: The journal's.
        outage_s: Seconds to wait for a database that cannot be reached.

    Raises:
        JournalUnusable: The tables cannot be made.
    """
    if url.get_backend_name() == "postgresql":
        async with _postgres(url, seal, outage_s) as saver:
            yield saver
        return
    async with aiosqlite.connect(url.database or ":memory:", timeout=30) as connection:
        await connection.execute("PRAGMA synchronous=NORMAL")  # as the journal: safe from a killed process
        saver = AsyncSqliteSaver(connection)
        try:
            await saver.setup()
        except sqlite3.Error as exc:
            raise JournalUnusable(f"cannot open the journal {url.database}: {exc}") from exc
        # SQLite itself waits for a lock; nothing else passes by waiting.
        yield _Patient(saver, seal, (sqlite3.Error,), 0.0, whole=True)


@asynccontextmanager
async def _postgres(url: URL, seal: Seal, outage_s: float) -> AsyncGenerator[BaseCheckpointSaver[str]]:
    import psycopg
    from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
    from psycopg.rows import DictRow, dict_row
    from psycopg_pool import AsyncConnectionPool, PoolTimeout

    async def alive(connection: psycopg.AsyncConnection[DictRow]) -> None:
        await connection.execute("SELECT 1")

    pool = AsyncConnectionPool(
        url.set(drivername="postgresql").render_as_string(hide_password=False),
        connection_class=psycopg.AsyncConnection[DictRow],
        kwargs={"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row},
        min_size=0,
        max_size=4,
        timeout=max(1.0, min(30.0, outage_s)),  # of one wait for a connection: whoever waits no longer must be told
        check=alive,
        open=False,
    )
    async with pool:
        saver = AsyncPostgresSaver(pool)
        try:
            await _set_up(saver.setup, pool)
        except psycopg.Error as exc:
            raise JournalUnusable(f"cannot open the journal {url.render_as_string()}: {exc}") from exc
        yield _Patient(saver, seal, (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout), outage_s)


async def _set_up(setup: Callable[[], Awaitable[None]], pool: "AsyncConnectionPool[AsyncConnection[DictRow]]") -> None:
    """Make the tables, one process at a time.

    The lock is tried and not waited for: a statement that waits holds up the indexes that `setup` makes.
    """
    async with pool.connection() as connection:
        while True:
            cursor = await connection.execute("SELECT pg_try_advisory_lock(%s) AS mine", (_SETUP_LOCK,))
            row = await cursor.fetchone()
            if row is not None and row["mine"]:
                break
            await asyncio.sleep(0.05)
        try:
            await setup()
        finally:
            await connection.execute("SELECT pg_advisory_unlock(%s)", (_SETUP_LOCK,))
