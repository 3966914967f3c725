"""What one gateway has to let pass, kept in files: one per share, whole or not there."""

import contextlib
import shutil
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from roadstead.drivers.export.records import Records
from roadstead.model.ids import pseudo_path
from roadstead.process.files import write_durably

T = TypeVar("T")


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


class FlowFiles(Records[StoredFlow]):
    """The flows of one gateway, as JSON, and what was loaded of them."""

    suffix = ".json"

    def text(self, stored: StoredFlow) -> str:
        """As it is."""
        return msgspec.json.encode(stored).decode() + "\n"

    def parsed(self, text: str) -> StoredFlow | None:
        """None also for what somebody changed into something else."""
        return _decoded(text, StoredFlow)

    def number(self, stored: StoredFlow) -> int:
        """The share's export id."""
        return stored.export_id

    def loaded(self) -> Loaded:
        """What was noted last."""
        try:
            text = self._loaded.read_text(errors="replace")
        except FileNotFoundError:
            return Loaded()
        return _decoded(text, Loaded) or Loaded()

    def note(self, loaded: Loaded) -> None:
        """`loaded` says so."""
        self.directory.mkdir(parents=True, exist_ok=True)
        write_durably(self._loaded, msgspec.json.encode(loaded).decode() + "\n")

    def ensure_absent(self) -> None:
        """Nothing is stored."""
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.directory)

    @property
    def _loaded(self) -> Path:
        return self.directory / "loaded"


def _decoded(text: str, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.MsgspecError:
        return None
