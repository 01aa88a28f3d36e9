# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
"""LangGraph's checkpoints in the journal's database; only plain data is ever read back from them."""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

import aiosqlite
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from sqlalchemy import URL

from planloom.state.store import JournalError, JournalUnusable

if TYPE_CHECKING:
    from psycopg import AsyncConnection
    from psycopg.rows import DictRow
    from psycopg_pool import AsyncConnectionPool

T = TypeVar("T")
_SETUP_LOCK = 0x706C616E
"""Advisory lock of whoever makes LangGraph's tables: `setup` is not safe beside itself."""


class _Patient(BaseCheckpointSaver[str]):
    """A checkpointer that waits for a database that is away, as the journal does.

    Every write of LangGraph's names what it writes, so that one whose answer was lost can be made again.
    """

    def __init__(self, saver: BaseCheckpointSaver[str], errors: tuple[type[Exception], ...], outage_s: float) -> None:
        super().__init__(serde=saver.serde)
        self._saver = saver
        self._errors = errors
        self._outage_s = outage_s

    def get_next_version(self, current: str | None, channel: None) -> str:
        """Return the version after `current`, in the form of the saver's."""
        return self._saver.get_next_version(current, channel)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Return a checkpoint."""
        return await self._patiently(lambda: self._saver.aget_tuple(config))

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Write a checkpoint."""
        return await self._patiently(lambda: self._saver.aput(config, checkpoint, metadata, new_versions))

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, object]], task_id: str, task_path: str = ""
    ) -> None:
        """Write what a stage handed on."""
        await self._patiently(lambda: self._saver.aput_writes(config, writes, task_id, task_path))

    async def adelete_thread(self, thread_id: str) -> None:
        """Delete all checkpoints of a run."""
        await self._patiently(lambda: self._saver.adelete_thread(thread_id))

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do `work`, again where the database could not be reached.

        Raises:
            JournalError: It stayed away, or refused.
        """
        loop = asyncio.get_running_loop()
        gives_up, pause_s = loop.time() + self._outage_s, 0.1
        while True:
            try:
                return await work()
            except self._errors as exc:
                if loop.time() + pause_s > gives_up:
                    raise JournalError(f"cannot write the journal's checkpoints: {exc}") from exc
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, 2.0)


@asynccontextmanager
async def open_checkpointer(url: URL, *, outage_s: float = 60.0) -> AsyncGenerator[BaseCheckpointSaver[str]]:
    """Open the checkpoint tables.

    Args:
        url: The journal's database.
        outage_s: Seconds to wait for a database that cannot be reached.

    Raises:
        JournalUnusable: The tables cannot be made.
    """
    serde = JsonPlusSerializer(allowed_msgpack_modules=None)
    if url.get_backend_name() == "postgresql":
        async with _postgres(url, serde, outage_s) as saver:
            yield saver
        return
    async with aiosqlite.connect(url.database or ":memory:", timeout=30) as connection:
        await connection.execute("PRAGMA synchronous=NORMAL")  # as the journal: safe from a killed process
        saver = AsyncSqliteSaver(connection, serde=serde)
        try:
            await saver.setup()
        except sqlite3.Error as exc:
            raise JournalUnusable(f"cannot open the journal {url.database}: {exc}") from exc
        yield _Patient(saver, (sqlite3.Error,), 0.0)  # SQLite itself waits for a lock; nothing else passes by waiting


@asynccontextmanager
async def _postgres(url: URL, serde: JsonPlusSerializer, outage_s: float) -> AsyncGenerator[BaseCheckpointSaver[str]]:
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
        check=alive,
        open=False,
    )
    async with pool:
        saver = AsyncPostgresSaver(pool, serde=serde)
        try:
            await _set_up(saver.setup, pool)
        except psycopg.Error as exc:
            raise JournalUnusable(f"cannot open the journal {url.render_as_string()}: {exc}") from exc
        yield _Patient(saver, (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout), outage_s)


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
