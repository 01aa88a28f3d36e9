"""Many processes may open a new journal at the same moment."""

import asyncio
from pathlib import Path

import pytest
from postgres import Postgres

from planloom.configs.load import Workflow
from planloom.engine import Engine
from planloom.state.journal import JournalError


async def _open(place: str) -> None:
    async with Engine(journal=place) as engine:
        assert await engine.runs() == []


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
async def test_a_new_journal_can_be_opened_by_many_at_once(
    database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if database == "sqlite":
        await _open_at_once(str(tmp_path / "j.db"))
        return
    server: Postgres = request.getfixturevalue("postgres")
    for _ in range(3):
        await _open_at_once(server.fresh())


async def _open_at_once(place: str) -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(6):
            group.create_task(_open(place))


async def test_an_engine_that_is_not_open_says_so_with_one_kind_of_error(tmp_path: Path) -> None:
    engine = Engine(journal=tmp_path / "j.db")
    with pytest.raises(JournalError, match="not open"):
        await engine.resume("r1")
    with pytest.raises(JournalError, match="not open"):
        await engine.gc()


async def test_an_engine_that_was_left_says_so_with_the_same_kind_of_error(tmp_path: Path) -> None:
    workflow = Workflow.from_dict({"version": 1, "name": "one", "nodes": {"a": {"code": "1"}}})
    async with Engine(journal=tmp_path / "j.db") as engine:
        await engine.run(workflow)
    with pytest.raises(JournalError, match="not open"):
        await engine.run(workflow)
    with pytest.raises(JournalError, match="was closed"):
        await engine.view("last")
    with pytest.raises(JournalError, match="was closed"):
        await engine.__aenter__()
