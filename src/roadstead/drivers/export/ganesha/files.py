"""What one place's server has to serve, kept in files: one per export, whole or not there."""

import os
import re
from pathlib import Path

from roadstead.drivers.ganesha import conf
from roadstead.process.files import sync_directory, temporary_of, write_durably

_NAME = re.compile(r"([1-9][0-9]*)\.conf")


class ExportFiles:
    """The exports of one place. Its directory exists from the first write on."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def path(self, export_id: int) -> Path:
        """Where the export of that number is kept; the file the server reads, too."""
        return self._directory / f"{export_id}.conf"

    def find(self, export_id: int) -> conf.StoredExport | None:
        """The export of that number; None when none is stored (or nothing legible)."""
        return _read(self.path(export_id))

    def write(self, stored: conf.StoredExport) -> None:
        """The export is stored, also after a power cut. A file that says so already is left."""
        text = conf.export_text(stored)
        path = self.path(stored.export_id)
        try:
            if path.read_text() == text:
                return
        except FileNotFoundError:
            self._directory.mkdir(parents=True, exist_ok=True)
        write_durably(path, text)

    def remove(self, export_id: int) -> None:
        """No export of that number is stored."""
        path = self.path(export_id)
        temporary_of(path).unlink(missing_ok=True)
        try:
            path.unlink()
        except FileNotFoundError:
            return
        sync_directory(self._directory)

    def all(self) -> dict[int, conf.StoredExport]:
        """Every stored export, by number."""
        try:
            names = os.listdir(self._directory)
        except FileNotFoundError:
            return {}
        found: dict[int, conf.StoredExport] = {}
        for name in names:
            match = _NAME.fullmatch(name)
            stored = _read(self._directory / name) if match else None
            # A copy made by hand must not appear as a second export.
            if stored is not None and match is not None and stored.export_id == int(match[1]):
                found[stored.export_id] = stored
        return dict(sorted(found.items()))


def _read(path: Path) -> conf.StoredExport | None:
    try:
        return conf.parse(path.read_text(errors="replace"))
    except FileNotFoundError:
        return None
