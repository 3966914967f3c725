"""No half-written export is left: not by a write that failed, not by one that was killed."""

import os

import pytest

from roadstead.drivers.export.ganesha.files import ExportFiles
from roadstead.drivers.ganesha.conf import StoredExport
from roadstead.drivers.host.durable import write_durably
from roadstead.model.ids import new_id


def _export(number: int) -> StoredExport:
    return StoredExport(export_id=number, instance_id=new_id(), path="/srv/share")


def test_a_failed_write_leaves_nothing(tmp_path):
    path = tmp_path / "1.conf"
    path.mkdir()  # nothing can be renamed to it
    with pytest.raises(IsADirectoryError):
        write_durably(path, "text")
    assert os.listdir(tmp_path) == ["1.conf"]


def test_removal_takes_what_a_killed_write_left(tmp_path):
    files = ExportFiles(tmp_path)
    files.write(_export(2))
    (tmp_path / ".2.conf.tmp").write_text("half of")
    (tmp_path / ".3.conf.tmp").write_text("its first write was killed")
    files.remove(2)
    files.remove(3)
    assert os.listdir(tmp_path) == []
