"""What one place's server has to serve, kept in files: one per export, whole or not there."""

import os
import re
from pathlib import Path

from roadstead.drivers.export import ganesha_conf as conf

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
        _temporary(path).unlink(missing_ok=True)
        try:
            path.unlink()
        except FileNotFoundError:
            return
        _sync_directory(self._directory)

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


def write_durably(path: Path, text: str) -> None:
    """The file has this text, also after a power cut; an interrupted call left the old one."""
    temporary = _temporary(path)
    try:
        with temporary.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_directory(path.parent)


def _temporary(path: Path) -> Path:
    # The name is the same each time, so that a retry overwrites what a killed call left.
    return path.with_name(f".{path.name}.tmp")


def _read(path: Path) -> conf.StoredExport | None:
    try:
        return conf.parse(path.read_text(errors="replace"))
    except FileNotFoundError:
        return None


def _sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
