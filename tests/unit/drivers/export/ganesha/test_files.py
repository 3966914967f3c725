"""No half-written export is left by a write that was killed."""

import os

from roadstead.drivers.export.ganesha.files import ExportFiles
from roadstead.drivers.ganesha.conf import StoredExport
from roadstead.model.ids import new_id


def _export(number: int) -> StoredExport:
    return StoredExport(export_id=number, instance_id=new_id(), path="/srv/share")


def test_removal_takes_what_a_killed_write_left(tmp_path):
    files = ExportFiles(tmp_path)
    files.write(_export(2))
    (tmp_path / ".2.conf.tmp").write_text("half of")
    (tmp_path / ".3.conf.tmp").write_text("its first write was killed")
    files.remove(2)
    files.remove(3)
    assert os.listdir(tmp_path) == []
