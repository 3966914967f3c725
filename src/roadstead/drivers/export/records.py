"""What one place's server has to serve, kept in files: one per export, whole or not there."""

import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import msgspec

from roadstead.process.files import sync_directory, temporary_of, write_durably


class _Numbered(Protocol):
    @property
    def export_id(self) -> int: ...


T = TypeVar("T", bound=_Numbered)
S = TypeVar("S")


class Records(ABC, Generic[T]):
    """The exports of one place. Its directory exists from the first write on."""

    suffix: str

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @abstractmethod
    def text(self, stored: T) -> str:
        """What the file says; equal for equal exports."""

    @abstractmethod
    def parsed(self, text: str) -> T | None:
        """The export in that text; None when it is not legible."""

    def path(self, export_id: int) -> Path:
        """Where the export of that number is kept."""
        return self.directory / f"{export_id}{self.suffix}"

    def find(self, export_id: int) -> T | None:
        """The export of that number; None when none is stored (or nothing legible)."""
        return self._read(self.path(export_id))

    def write(self, stored: T) -> None:
        """The export is stored, also after a power cut. A file that says so already is left."""
        text, path = self.text(stored), self.path(stored.export_id)
        try:
            if path.read_text(errors="replace") == text:
                return
        except FileNotFoundError:
            self.directory.mkdir(parents=True, exist_ok=True)
        write_durably(path, text)

    def remove(self, export_id: int) -> None:
        """No export of that number is stored, also after a power cut."""
        path = self.path(export_id)
        temporary_of(path).unlink(missing_ok=True)
        try:
            path.unlink()
        except FileNotFoundError:
            return
        sync_directory(self.directory)

    def all(self) -> dict[int, T]:
        """Every stored export, by number."""
        try:
            names = os.listdir(self.directory)
        except FileNotFoundError:
            return {}
        found: dict[int, T] = {}
        for name in names:
            stored = self._read(self.directory / name) if name.endswith(self.suffix) else None
            # A copy made by hand must not appear as a second export.
            if stored is not None and name == f"{stored.export_id}{self.suffix}":
                found[stored.export_id] = stored
        return dict(sorted(found.items()))

    def _read(self, path: Path) -> T | None:
        try:
            return self.parsed(path.read_text(errors="replace"))
        except FileNotFoundError:
            return None


class JsonRecords(Records[T]):
    """In JSON; `kind` says what such a file holds."""

    suffix = ".json"
    kind: type[T]

    def text(self, stored: T) -> str:
        """As it is."""
        return encoded(stored)

    def parsed(self, text: str) -> T | None:
        """None also for what somebody changed into something else."""
        return decoded(text, self.kind)


def encoded(stored: object) -> str:
    """The record as JSON that can be read."""
    return msgspec.json.format(msgspec.json.encode(stored)).decode() + "\n"


def decoded(text: str, kind: type[S]) -> S | None:
    """The record in that JSON; None when it holds none of that kind."""
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.DecodeError:
        return None
