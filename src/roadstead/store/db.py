"""The database: one engine, read and write transactions, and a count of statements."""

import contextlib
import contextvars
import datetime
from collections.abc import Generator
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from roadstead.model.errors import ConfigError

Tx = sa.Connection

# How many statements the current context has sent; benchmarks and tests read it.
statement_count: contextvars.ContextVar[list[int]] = contextvars.ContextVar("statement_count")


def utcnow() -> datetime.datetime:
    """UTC without zone, as every table holds it."""
    return datetime.datetime.now(datetime.UTC).replace(tzinfo=None)


class Database:
    """SQLite (WAL, one writer at a time) or PostgreSQL, by URL."""

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        """Raises ConfigError when the URL names another database."""
        self.url = url
        if url.startswith("sqlite"):
            self.engine = sa.create_engine(url, pool_size=pool_size, max_overflow=20)
            event.listen(self.engine, "connect", _sqlite_connect)
            event.listen(self.engine, "begin", _sqlite_begin)
        elif url.startswith("postgresql+psycopg"):
            self.engine = sa.create_engine(url, pool_size=pool_size, max_overflow=20)
        else:
            raise ConfigError("database: must begin with sqlite:/// or postgresql+psycopg://")
        event.listen(self.engine, "before_cursor_execute", _count_statement)
        self._writer = self.engine.execution_options(roadstead_write=True)

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    @contextlib.contextmanager
    def read(self) -> Generator[Tx]:
        """A consistent view; nothing is written."""
        with self.engine.connect() as connection:
            yield connection
            connection.rollback()

    @contextlib.contextmanager
    def write(self) -> Generator[Tx]:
        """All or nothing. On SQLite the write lock is taken at the start, so that what is read
        inside cannot change before it is written back."""
        with self._writer.begin() as connection:
            yield connection

    def close(self) -> None:
        self.engine.dispose()


def lock_project(tx: Tx, project_id: str) -> None:
    """Other writers of this project's quota wait until `tx` ends. SQLite has one writer anyway."""
    _lock(tx, project_id)


def lock_export_ids(tx: Tx, agent_host: str) -> None:
    """Others that give out export ids of this agent wait until `tx` ends: each takes the next one,
    and must see the one before. To be taken after the project's lock."""
    _lock(tx, f"export ids of {agent_host}")


def lock_share_network(tx: Tx, share_network_id: str) -> None:
    """Others that change what lives on this network wait until `tx` ends: one finds the server
    that another one made. To be taken before the project's lock."""
    _lock(tx, f"share network {share_network_id}")


def lock_named(tx: Tx, name: str) -> None:
    """Others that take the lock of that name wait until `tx` ends. To be taken after all others."""
    _lock(tx, name)


def _lock(tx: Tx, name: str) -> None:
    if tx.dialect.name == "postgresql":
        tx.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(name))))


def _sqlite_connect(dbapi_connection: Any, _record: Any) -> None:
    # The driver must not open transactions by itself: we say BEGIN (IMMEDIATE) ourselves.
    dbapi_connection.isolation_level = None
    cursor = dbapi_connection.cursor()
    for pragma in (
        "busy_timeout = 20000",
        "journal_mode = WAL",
        # FULL: an acknowledged share must not be forgotten by a power cut; the sweep would
        # take its image for a leak.
        "synchronous = FULL",
        "foreign_keys = ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _sqlite_begin(connection: sa.Connection) -> None:
    write = connection.get_execution_options().get("roadstead_write")
    raw: Any = connection.connection.driver_connection
    raw.execute("BEGIN IMMEDIATE" if write else "BEGIN")


def _count_statement(*_args: Any) -> None:
    counter = statement_count.get(None)
    if counter is not None:
        counter[0] += 1


@contextlib.contextmanager
def counting() -> Generator[list[int]]:
    """`counter[0]` is the number of statements sent inside the block by this thread."""
    counter = [0]
    token = statement_count.set(counter)
    try:
        yield counter
    finally:
        statement_count.reset(token)
