"""Journals as older versions left them."""

from importlib.resources import files
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from planloom.state.url import parse_url


def turn_back(path: Path | str, revision: str = "-1") -> None:
    """Undo migrations of a journal, a SQLite file or `postgresql://...`, down to `revision`."""
    config = Config()
    config.set_main_option("script_location", str(files("planloom.state").joinpath("migrations")))
    engine = create_engine(parse_url(str(path)))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, revision)
    engine.dispose()
