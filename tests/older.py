"""Journals as older versions left them."""

from importlib.resources import files
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine


def turn_back(path: Path, revision: str = "-1") -> None:
    """Undo migrations of the journal in a SQLite file down to `revision`."""
    config = Config()
    config.set_main_option("script_location", str(files("planloom.state").joinpath("migrations")))
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, revision)
    engine.dispose()
