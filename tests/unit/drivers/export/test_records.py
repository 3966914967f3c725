"""What is kept of exports is found again; what somebody put there instead is no export."""

import os
from pathlib import Path
from typing import Any

import pytest

from roadstead.drivers.export.gateway.files import FlowFiles, StoredFlow
from roadstead.drivers.export.records import Records
from roadstead.drivers.export.samba.conf import StoredExport
from roadstead.drivers.export.samba.files import ExportFiles
from roadstead.model.ids import new_id

FLOW = StoredFlow(
    export_id=7,
    instance_id=new_id(),
    path="/vol/a",
    addresses=("10.0.0.3",),
    sources={"rw": ("172.30.0.9",)},
    clients={"10.0.0.5/32": "rw"},
)
EXPORT = StoredExport(export_id=7, instance_id=new_id(), path="/srv/a", owner=new_id())
KINDS = pytest.mark.parametrize(("kind", "stored"), [(FlowFiles, FLOW), (ExportFiles, EXPORT)])


@KINDS
def test_a_stored_export_is_found_by_another_agent(
    kind: type[Records[Any]], stored: object, tmp_path: Path
):
    kind(tmp_path / "new").write(stored)
    assert kind(tmp_path / "new").find(7) == stored
    assert kind(tmp_path / "new").all() == {7: stored}
    assert os.listdir(tmp_path / "new") == ["7.json"]


@KINDS
@pytest.mark.parametrize("text", ["", "half of", "[]", '{"export_id": "7"}', "\udcff"])
def test_what_is_no_export_any_more_is_none(
    kind: type[Records[Any]], stored: object, text: str, tmp_path: Path
):
    files = kind(tmp_path)
    files.write(stored)
    files.path(7).write_text(text, errors="surrogateescape")
    assert files.find(7) is None
    assert files.all() == {}
    files.write(stored)
    assert files.find(7) == stored


@KINDS
def test_a_copy_made_by_hand_is_no_second_export(
    kind: type[Records[Any]], stored: object, tmp_path: Path
):
    files = kind(tmp_path)
    files.write(stored)
    files.path(8).write_text(files.path(7).read_text())
    assert files.all() == {7: stored}
