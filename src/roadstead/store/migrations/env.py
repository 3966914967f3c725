"""Alembic's entry: migrations run on the connection that `store.migrate` hands over."""

from alembic import context

# The last module of tables: all of them are in its metadata.
from roadstead.store.tables_networks import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    version_table="roadstead_schema_version",
)
context.run_migrations()
