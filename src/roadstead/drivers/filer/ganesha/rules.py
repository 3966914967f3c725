"""Our exports as an administrator's NFS-Ganesha reads them: one file that its configuration
includes, replaced as a whole by every change.

The file is what we want served; it is written before the server is told. Since the server reads
it at its start, a restart of the filer brings our exports back.
"""

import contextlib
import fcntl
import os
from collections.abc import Generator, Mapping
from pathlib import Path

import msgspec

from roadstead.drivers.ganesha import conf
from roadstead.model.errors import DriverError
from roadstead.process.files import write_durably

FILE_NAME = "roadstead.conf"
CHANGE_NAME = "roadstead-change"  # what the server is told to read now; only while it does
_TITLE = "# Roadstead's exports: replaced as a whole. Yours belong into a file of your own.\n"
_HEADER = "# export "


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One export of ours. `number` is the filer's export id, kept for the clients' file handles;
    `export_id` the one it was asked for under."""

    instance_id: str
    export_id: int
    number: int
    path: str
    name: str
    clients: dict[str, str] = {}


class RulesFile:
    """The file in the directory; the directory is the administrator's and must be there."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / FILE_NAME
        self._change = directory / CHANGE_NAME

    @contextlib.contextmanager
    def locked(self) -> Generator[None]:
        """During the block nobody else changes the file, no other process either."""
        try:
            fd = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise DriverError(f"{self.path.parent}: {error.strerror}") from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            try:
                yield
            finally:
                self._change.unlink(missing_ok=True)
        finally:
            os.close(fd)

    def read(self) -> dict[str, Rule]:
        """The exports in the file, by share instance; a missing file has none. DriverError when
        somebody has changed ours, for what we cannot read we would forget."""
        try:
            lines = self.path.read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return {}
        texts = [line.removeprefix(_HEADER) for line in lines if line.startswith(_HEADER)]
        try:
            rules = [msgspec.json.decode(text, type=Rule) for text in texts]
        except msgspec.DecodeError as error:
            raise DriverError(f"{self.path} was damaged by hand: {error}") from error
        return {rule.instance_id: rule for rule in rules}

    def write(self, rules: Mapping[str, Rule]) -> None:
        """The file has exactly these, also after a power cut. One that says so already is left."""
        ordered = sorted(rules.values(), key=lambda rule: rule.number)
        text = _TITLE + "".join(map(_text, ordered))
        with contextlib.suppress(FileNotFoundError):
            if self.path.read_text(errors="replace") == text:
                return
        write_durably(self.path, text)

    def write_change(self, rule: Rule) -> None:
        """This one export is in a file of its own: to read all of ours for each change would
        take a server with a thousand of them a second."""
        self._change.write_text(_text(rule))


def _text(rule: Rule) -> str:
    block = conf.export_block(
        export_id=rule.number,
        path=rule.path,
        pseudo=rule.name,
        clients=rule.clients,
        protocols="4",
    )
    return f"{_HEADER}{msgspec.json.encode(rule).decode()}\n{block}"
