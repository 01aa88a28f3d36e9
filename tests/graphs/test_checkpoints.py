"""Checkpoints in the database of the journal, which all runs share."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from langgraph.checkpoint.base import empty_checkpoint
from sqlalchemy import make_url

from planloom.graphs.checkpoints import open_checkpointer
from planloom.state.seal import Seal


@pytest.mark.parametrize("first", range(8))
async def test_a_write_that_is_cancelled_on_its_way_leaves_the_database_open_to_others(
    tmp_path: Path, first: int
) -> None:
    place = tmp_path / "j.db"
    config = {"configurable": {"thread_id": "r1", "checkpoint_ns": ""}}
    async with open_checkpointer(make_url(f"sqlite:///{place}"), Seal(None)) as saver:
        for number in range(12):
            writing = asyncio.ensure_future(saver.aput(config, empty_checkpoint(), {"step": number}, {}))
            await asyncio.sleep(0.0002 * (first + number))
            writing.cancel()
            await asyncio.wait([writing])
            with closing(sqlite3.connect(place, timeout=0, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                other.execute("ROLLBACK")
