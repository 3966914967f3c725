"""What a gateway's driver asks its filer, and how often."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roadstead.drivers.base.filer import FilerExport
from roadstead.drivers.export.gateway import view as gateway_view
from roadstead.drivers.export.gateway.files import FlowFiles, StoredFlow
from roadstead.drivers.export.gateway.view import FilerView
from roadstead.drivers.filer.memory import MemoryFiler
from roadstead.model.errors import Transient
from roadstead.model.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

    from roadstead.model.world import Mark


class Filer(MemoryFiler):
    """Takes its time over an answer, on a clock of its own."""

    def __init__(self) -> None:
        super().__init__(self.Options())
        self.now, self.takes, self.asked = 1000.0, 0.0, 0

    def inventory(self) -> Iterator[Mark]:
        self.asked += 1
        self.now += self.takes
        return super().inventory()


def _stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Filer, FlowFiles, str]:
    """A filer with one share, which one gateway knows."""
    filer, files, instance = Filer(), FlowFiles(tmp_path), new_id()
    monkeypatch.setattr(gateway_view.time, "monotonic", lambda: filer.now)
    path = f"/tree/roadstead/shares/{instance}"
    filer.ensure_export(
        FilerExport(instance_id=instance, export_id=1, path=path, name=f"/share-{instance}")
    )
    files.write(
        StoredFlow(
            export_id=1, instance_id=instance, path=path, addresses=("10.0.0.3",), sources={}
        )
    )
    return filer, files, instance


def test_a_filer_that_hung_is_left_alone_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every other gateway of it would wait as long, and the agent with them."""
    filer, files, instance = _stage(tmp_path, monkeypatch)
    view = FilerView(filer)
    filer.fail["inventory"], filer.takes = Transient("no answer"), 15.0
    assert [view.served(files).exports for _ in range(5)] == [None] * 5
    assert filer.asked == 1
    del filer.fail["inventory"]
    filer.takes, filer.now = 0.0, filer.now + 61
    assert set(view.served(files).exports or ()) == {instance}


def test_a_filer_that_says_no_at_once_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It costs nothing, and it may be back."""
    filer, files, instance = _stage(tmp_path, monkeypatch)
    view = FilerView(filer)
    filer.fail["inventory"] = Transient("refused")
    assert view.served(files).exports is None
    del filer.fail["inventory"]
    assert set(view.served(files).exports or ()) == {instance}
