"""The schema is brought up to date by alembic, on SQLite and PostgreSQL alike."""

import pathlib

from alembic import command
from alembic.config import Config

from roadstead.store.db import Database

_SCRIPTS = pathlib.Path(__file__).parent / "migrations"


def upgrade(url: str) -> None:
    """Every table and index of this version is there. Safe to call again and again."""
    database = Database(url)
    try:
        config = Config()
        config.set_main_option("script_location", str(_SCRIPTS))
        with database.write() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        database.close()
