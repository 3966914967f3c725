"""What one place's server has to serve, kept in files: one per export, whole or not there."""

from pathlib import Path

import msgspec

from roadstead.drivers.export.samba.conf import StoredExport
from roadstead.process.files import sync_directory, write_durably


class ExportFiles:
    """The exports of one place. Its directory exists from the first write on."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def path(self, export_id: int) -> Path:
        """Where the export of that number is kept."""
        return self._directory / f"{export_id}.json"

    def find(self, export_id: int) -> StoredExport | None:
        """The export of that number; None when none is stored (or nothing legible)."""
        return _read(self.path(export_id))

    def find_instance(self, instance_id: str) -> StoredExport | None:
        """The export of that share instance; None when none is stored."""
        return next((e for e in self.all().values() if e.instance_id == instance_id), None)

    def write(self, stored: StoredExport) -> None:
        """The export is stored, also after a power cut."""
        if self.find(stored.export_id) == stored:
            return
        self._directory.mkdir(parents=True, exist_ok=True)
        text = msgspec.json.format(msgspec.json.encode(stored)).decode()
        write_durably(self.path(stored.export_id), text)

    def remove(self, export_id: int) -> None:
        """No export of that number is stored."""
        path = self.path(export_id)
        if path.exists():
            path.unlink()
            sync_directory(self._directory)

    def all(self) -> dict[int, StoredExport]:
        """Every stored export, by number."""
        found: dict[int, StoredExport] = {}
        for path in self._directory.glob("[0-9]*.json"):
            stored = _read(path)
            # A copy made by hand must not appear as a second export.
            if stored is not None and path.name == f"{stored.export_id}.json":
                found[stored.export_id] = stored
        return dict(sorted(found.items()))


def _read(path: Path) -> StoredExport | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=StoredExport)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
