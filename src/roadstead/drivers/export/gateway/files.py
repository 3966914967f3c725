"""What one gateway has to let pass, kept in files: one per share, whole or not there."""

import contextlib
import os
import re
import shutil
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from roadstead.model.ids import pseudo_path
from roadstead.process.files import write_durably

T = TypeVar("T")
_NAME = re.compile(r"([1-9][0-9]*)\.json")


class StoredFlow(msgspec.Struct, frozen=True, kw_only=True):
    """One share's way through the gateway."""

    export_id: int
    instance_id: str
    path: str  # on the filer
    name: str = ""  # what clients mount; "" = as where we choose it
    addresses: tuple[str, ...]  # what its clients mount
    sources: dict[str, tuple[str, ...]]  # as whom the filer sees them, by level
    clients: dict[str, str] = {}  # {canonical target: level}, the most specific first
    granted: dict[str, str] = {}  # what the filer said yes to last: {source: level}
    leaving: bool = False  # on its way out: nobody passes, the filer may still export it


def name_of(flow: StoredFlow) -> str:
    """What the share's clients mount, and what the filer exports."""
    return flow.name or pseudo_path(flow.instance_id)


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """What was loaded into the kernel last: digests of what was asked and what became of it."""

    asked: str = ""
    rules: str = ""
    state: str = ""
    started_at: datetime | None = None


class FlowFiles:
    """The flows of one gateway. Its directory exists from the first write on."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def find(self, export_id: int) -> StoredFlow | None:
        """The flow of that number; None when none is stored (or nothing legible)."""
        return _read(self._path(export_id), StoredFlow)

    def write(self, stored: StoredFlow) -> None:
        """The flow is stored, also after a power cut."""
        if self.find(stored.export_id) != stored:
            self._write(self._path(stored.export_id), stored)

    def remove(self, export_id: int) -> None:
        """No flow of that number is stored."""
        self._path(export_id).unlink(missing_ok=True)

    def all(self) -> dict[int, StoredFlow]:
        """Every stored flow, by number."""
        try:
            names = os.listdir(self.directory)
        except FileNotFoundError:
            return {}
        found: dict[int, StoredFlow] = {}
        for name in names:
            match = _NAME.fullmatch(name)
            stored = _read(self.directory / name, StoredFlow) if match else None
            if stored is not None and match is not None and stored.export_id == int(match[1]):
                found[stored.export_id] = stored
        return dict(sorted(found.items()))

    def loaded(self) -> Loaded:
        """What was noted last."""
        return _read(self.directory / "loaded", Loaded) or Loaded()

    def note(self, loaded: Loaded) -> None:
        """`loaded` says so."""
        self._write(self.directory / "loaded", loaded)

    def ensure_absent(self) -> None:
        """Nothing is stored."""
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.directory)

    def _path(self, export_id: int) -> Path:
        return self.directory / f"{export_id}.json"

    def _write(self, path: Path, what: msgspec.Struct) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        write_durably(path, msgspec.json.encode(what).decode() + "\n")


def _read(path: Path, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
