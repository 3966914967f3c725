"""The migrations make exactly the tables that the code believes in, on both databases."""

import re

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from roadstead.store import tables_networks as tables
from roadstead.store.db import Database
from roadstead.store.migrate import upgrade

VERSIONS = "roadstead_schema_version"  # alembic's own


def test_migrations_equal_tables(database_url):
    upgrade(database_url)
    db = Database(database_url)
    try:
        with db.read() as tx:
            context = MigrationContext.configure(
                tx,
                opts={
                    "compare_type": True,
                    "compare_server_default": True,
                    "version_table": VERSIONS,
                },
            )
            assert compare_metadata(context, tables.metadata) == []
    finally:
        db.close()


def _schema(engine: sa.Engine) -> dict[str, set[str]]:
    """The parts of every table and index, whatever their order."""
    with engine.connect() as connection:
        rows = connection.execute(
            sa.text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
        )
        return {
            name: {
                part.strip(" \t\n(),")
                for part in re.split(r",\n|\n", sql)
                if part.strip(" \t\n(),")
            }
            for name, sql in rows
            if name != VERSIONS
        }


def test_migrations_equal_tables_to_the_letter(tmp_path):
    """Also what a comparison by reflection does not see: conditions of indexes, cascades."""
    upgrade(f"sqlite:///{tmp_path}/migrated")
    migrated = sa.create_engine(f"sqlite:///{tmp_path}/migrated")
    created = sa.create_engine(f"sqlite:///{tmp_path}/created")
    tables.metadata.create_all(created)
    try:
        assert _schema(migrated) == _schema(created)
    finally:
        migrated.dispose()
        created.dispose()
