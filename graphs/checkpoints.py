"""Checkpoints of the LangGraph shell: in the journal's file, read by a serializer that runs nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiosqlite
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver


@asynccontextmanager
async def open_checkpointer(path: str) -> AsyncIterator[BaseCheckpointSaver[str]]:
    """Open the checkpoint tables in the journal's file; only plain data is ever read back from them."""
    async with aiosqlite.connect(path, timeout=30) as connection:
        yield AsyncSqliteSaver(connection, serde=JsonPlusSerializer(allowed_msgpack_modules=None))
