"""What is at a journal's place is looked at before anything is made or changed there."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from older import turn_back
from postgres import Postgres

from planloom.core import events as ev
from planloom.core.plan import RunId
from planloom.state.journal import Journal
from planloom.state.log import RunLog
from planloom.state.place import Opening
from planloom.state.store import JournalUnusable

R1 = RunId("261101-aa1")


async def refusal(place: Path | str, opening: Opening) -> str:
    with pytest.raises(JournalUnusable) as refused:
        await Journal(place, opening=opening).__aenter__()
    return str(refused.value)


@pytest.mark.parametrize("opening", ["current", "upgrade"])
async def test_a_journal_that_is_not_there_is_not_made_by_looking(tmp_path: Path, opening: Opening) -> None:
    place = tmp_path / "new" / "j.db"
    assert await refusal(place, opening) == f"{place}: no such journal"
    assert list(tmp_path.iterdir()) == []


async def test_an_older_journal_is_brought_up_to_date_only_by_what_writes(tmp_path: Path) -> None:
    place = tmp_path / "j.db"
    async with Journal(place) as journal:
        started = ev.RunStarted(run_id=R1, name="n", workflow={}, base_dir="/", inputs={}, rehearsal=False)
        await RunLog(journal, R1).commit(started)
    turn_back(place)
    assert "an older Planloom made this journal; the next run, resume or approve" in await refusal(place, "current")
    async with Journal(place, opening="upgrade") as journal:
        assert await journal.find("last") == R1
    async with Journal(place, opening="current") as journal:
        assert await journal.find("last") == R1


@pytest.mark.parametrize("opening", ["current", "upgrade", "make"])
async def test_a_file_of_another_program_is_refused_and_not_touched(tmp_path: Path, opening: Opening) -> None:
    place = tmp_path / "shop.db"
    with closing(sqlite3.connect(place)) as shop:
        shop.executescript("".join(f"CREATE TABLE {name} (x);" for name in ("a", "b", "c", "d")))
    before = place.read_bytes()
    assert await refusal(place, opening) == f"{place} is not a Planloom journal: it has the tables a, b, c and 1 more"
    assert place.read_bytes() == before
    assert list(tmp_path.iterdir()) == [place]


async def test_an_empty_file_becomes_a_journal_only_when_it_may(tmp_path: Path) -> None:
    place = tmp_path / "j.db"
    place.touch()
    assert await refusal(place, "current") == f"{place}: there is no journal in it yet"
    async with Journal(place):
        pass
    async with Journal(place, opening="current") as journal:
        assert await journal.runs(1) == []


async def test_in_a_shared_database_a_journal_stands_beside_the_tables_of_others(postgres: Postgres) -> None:
    import psycopg

    url = postgres.fresh()
    with psycopg.connect(url, autocommit=True) as shop:
        shop.execute("CREATE TABLE customers (name text)")
    assert "there is no journal in it yet" in await refusal(url, "current")
    async with Journal(url) as journal:
        assert await journal.runs(1) == []
    async with Journal(url, opening="current") as journal:
        assert await journal.runs(1) == []


async def test_migrations_of_another_program_are_left_alone(postgres: Postgres) -> None:
    import psycopg

    url = postgres.fresh()
    with psycopg.connect(url, autocommit=True) as shop:
        shop.execute("CREATE TABLE alembic_version (version_num varchar(32))")
        shop.execute("INSERT INTO alembic_version VALUES ('a1b2')")
    assert "alembic_version is another program's" in await refusal(url, "make")
