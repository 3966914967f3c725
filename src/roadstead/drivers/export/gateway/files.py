"""What one gateway has to let pass, kept in files: one per share, whole or not there."""

import contextlib
import shutil
from datetime import datetime
from pathlib import Path

import msgspec

from roadstead.drivers.export.records import JsonRecords, decoded, encoded
from roadstead.model.ids import pseudo_path
from roadstead.process.files import write_durably


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


class FlowFiles(JsonRecords[StoredFlow]):
    """The flows of one gateway, and what was loaded of them."""

    kind = StoredFlow

    def loaded(self) -> Loaded:
        """What was noted last."""
        try:
            text = self._loaded.read_text(errors="replace")
        except FileNotFoundError:
            return Loaded()
        return decoded(text, Loaded) or Loaded()

    def note(self, loaded: Loaded) -> None:
        """`loaded` says so."""
        self.directory.mkdir(parents=True, exist_ok=True)
        write_durably(self._loaded, encoded(loaded))

    def ensure_absent(self) -> None:
        """Nothing is stored."""
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.directory)

    @property
    def _loaded(self) -> Path:
        return self.directory / "loaded"
