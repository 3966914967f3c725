"""A throw-away PostgreSQL on a private Unix socket: up in a second, gone with the test session."""

import os
import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg import sql

from tests.services.process import Program, scratch_directory
from tests.temporary import Temporary

# Nothing here survives anyway, so nothing waits for a disk.
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0777",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "200",
    "jit": "off",
    "timezone": "UTC",
}


class Postgres(Temporary):
    """A PostgreSQL server of our own, as a context manager.

    It runs as the user `postgres`; any local user may connect as the superuser `postgres` without
    a password.
    """

    def _make(self, undo: ExitStack) -> None:
        self.directory = undo.enter_context(scratch_directory("roadstead-pg-"))
        self._start(undo)
        admin = psycopg.connect(self._conninfo("postgres"), autocommit=True)
        self._admin = undo.enter_context(admin)

    def url(self, dbname: str) -> str:
        """The database's URL for SQLAlchemy, good for every user of this machine."""
        return f"postgresql+psycopg://postgres@/{dbname}?host={self.directory}"

    def create_database(self, name: str, template: str | None = None) -> str:
        """The database exists; returns its URL.

        Nobody may be connected to `template` meanwhile: dispose of its engine first.
        """
        self._execute("CREATE DATABASE {} TEMPLATE {}", name, template or "template0")
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """The database does not exist, even if somebody was connected to it."""
        self._execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def _execute(self, query: LiteralString, *names: str) -> None:
        self._admin.execute(sql.SQL(query).format(*map(sql.Identifier, names)))

    def _conninfo(self, dbname: str) -> str:
        return f"host={self.directory} user=postgres dbname={dbname}"

    def _start(self, undo: ExitStack) -> None:
        binaries, data = find_binaries(), self.directory / "data"
        if os.geteuid() == 0:
            shutil.chown(self.directory, "postgres", "postgres")
        initdb = [binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        quickly = ["--no-locale", "--no-sync", "--no-instructions", "--wal-segsize=1"]
        self._program([*initdb, *quickly]).wait_until_done()
        settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
        server = [binaries / "postgres", "-D", data, "-k", self.directory]
        self.program = self._program([*server, *settings])
        undo.callback(self.program.stop)
        self.program.wait_until(self._answers)

    def _program(self, argv: list[str | Path]) -> Program:
        # QUIT is PostgreSQL's "immediate shutdown"
        return Program(argv, log=self.directory / "log", end_signal="QUIT", user="postgres")

    def _answers(self) -> bool:
        try:
            psycopg.connect(self._conninfo("postgres")).close()
        except psycopg.OperationalError:
            return False
        return True


def find_binaries() -> Path:
    """Debian's folder of the newest PostgreSQL's programs. Raises RuntimeError if there is none."""
    found = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    newest = max(found, key=lambda path: int(path.parts[-3]), default=None)
    if newest is None:
        raise RuntimeError("PostgreSQL is not installed: run `make setup`")
    return newest.parent
