"""An administrator's NFS-Ganesha: what is ours there survives, what is not stays theirs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec
import pytest

from roadstead.drivers.filer.ganesha.driver import GaneshaFiler
from roadstead.model import ids
from roadstead.model.errors import DriverError
from tests.lab.filer import LegacyFiler
from tests.lab.nfs4 import Client, NfsError
from tests.unit.drivers.filer.worlds import ADMIN, FILER, ONE, TWO, status
from tests.unit.drivers.pool.killing import killed_at

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from roadstead.drivers.base.filer import FilerExport

    Wanted = Callable[..., FilerExport]
    Clients = Callable[[str], Client]

pytestmark = pytest.mark.real


def broken(control: GaneshaFiler) -> dict[str, str | None]:
    """What the inventory says about each export."""
    return {mark.id: mark.broken for mark in control.inventory()}


def to(spec: FilerExport, clients: dict[str, str]) -> FilerExport:
    return msgspec.structs.replace(spec, clients=clients)


# G-I2: at once, on connections that are there
@pytest.mark.parametrize("after", [{TWO: "rw"}, {}, None], ids=["another", "nobody", "removed"])
def test_a_client_that_is_no_longer_named_is_refused_in_its_session(
    control: GaneshaFiler, wanted: Wanted, client: Clients, after: dict[str, str] | None
) -> None:
    spec = wanted({ONE: "rw"})
    control.ensure_export(spec)
    with client(ONE) as session:
        file = session.open(session.lookup(spec.name), "file", write=True)
        session.write(file, 0, b"HELLO\n")
        if after is None:
            control.ensure_export_absent(spec.instance_id)
        else:
            control.ensure_export(to(spec, after))
        for refused in (
            lambda: session.write(file, 0, b"never\n"),
            lambda: session.read(file, 0, 10),
            lambda: session.lookup(f"{spec.name}/file"),
        ):
            with pytest.raises(NfsError) as met:
                refused()
            assert met.value.status_name in ("ACCESS", "NOENT", "STALE")


# G-I2
def test_a_downgraded_client_cannot_write_in_its_session(
    control: GaneshaFiler, wanted: Wanted, client: Clients
) -> None:
    spec = wanted({ONE: "rw"})
    control.ensure_export(spec)
    with client(ONE) as session:
        file = session.open(session.lookup(spec.name), "file", write=True)
        session.write(file, 0, b"HELLO\n")
        control.ensure_export(to(spec, {ONE: "ro"}))
        with pytest.raises(NfsError, match="ROFS"):
            session.write(file, 0, b"never\n")
        assert session.read(file, 0, 10) == b"HELLO\n"


def test_a_restarted_filer_serves_our_exports_again(
    filer: LegacyFiler, control: GaneshaFiler, wanted: Wanted, client: Clients
) -> None:
    specs = [wanted({ONE: "rw"}), wanted({TWO: "ro"}), wanted({})]
    for spec in specs:
        control.ensure_export(spec)
    control.ensure_export_absent(specs[2].instance_id)
    before = filer.clients()
    for again in (filer.restart, filer.kill):
        again()
        if not filer.runs:
            filer.start()
        assert filer.clients() == before
        with client(ONE) as session:
            assert [status(session, spec) for spec in specs] == ["ok", "NOENT", "NOENT"]
        assert broken(control) == {spec.instance_id: None for spec in specs[:2]}


def test_handles_of_clients_outlive_a_restart_and_a_change(
    filer: LegacyFiler, control: GaneshaFiler, wanted: Wanted, client: Clients
) -> None:
    control.ensure_export(wanted(export_id=1))
    spec = wanted(export_id=1)
    control.ensure_export(spec)
    with client(ONE) as session:
        handle = session.lookup(f"{spec.name}/file")
    GaneshaFiler(GaneshaFiler.Options(**filer.control_options)).ensure_export(
        to(spec, {ONE: "ro", TWO: "rw"})
    )
    filer.restart()
    with client(ONE) as session:
        assert session.getattr(handle, "size")["size"] == 6


def test_the_administrators_exports_are_never_touched(
    filer: LegacyFiler, control: GaneshaFiler, wanted: Wanted, client: Clients
) -> None:
    """Not even one that has the number that would be ours, or exports the very same directory."""
    spec, second = wanted(export_id=7), wanted(export_id=8)
    control.ensure_export(second)
    filer.export(10006, "/theirs", ADMIN)
    filer.export(5, "/peek", ADMIN, path=spec.path)
    before = filer.clients()
    control.ensure_export(spec)
    with client(ONE) as session:
        assert status(session, spec) == "ok"
    assert set(broken(control)) == {spec.instance_id, second.instance_id}
    control.ensure_export_absent(spec.instance_id)
    assert filer.clients() == before
    control.ensure_export_absent(second.instance_id)
    assert set(filer.clients()) == {"/admin", "/theirs", "/peek"}


def test_what_somebody_changed_in_the_running_filer_is_seen_and_mended(
    filer: LegacyFiler, control: GaneshaFiler, wanted: Wanted
) -> None:
    lost, opened, orphan, good = (wanted(export_id=n) for n in (1, 2, 3, 4))
    for spec in (lost, opened, orphan, good):
        control.ensure_export(spec)
    bus = control._bus
    numbers = {name: number for number, name in filer.exports().items()}
    bus.remove_export(numbers[lost.name])
    bus.remove_export(numbers[opened.name])
    filer.export(numbers[opened.name], opened.name, TWO, path=opened.path)
    rules = control._rules.read()
    del rules[orphan.instance_id]
    control._rules.write(rules)
    assert broken(control) == {
        lost.instance_id: "not served",
        opened.instance_id: "other clients are admitted",
        orphan.instance_id: "in no file of ours",
        good.instance_id: None,
    }
    marks = {mark.id: mark.facts["clients"] for mark in control.inventory()}
    assert marks[opened.instance_id] == {TWO: "rw"}
    for spec in (lost, opened, orphan):
        control.ensure_export(spec)
    assert broken(control) == dict.fromkeys(s.instance_id for s in (lost, opened, orphan, good))
    assert filer.clients()[opened.name] == {ONE: "rw"}


def test_a_lost_file_is_built_again(
    filer: LegacyFiler, control: GaneshaFiler, wanted: Wanted
) -> None:
    spec, gone = wanted(export_id=1), wanted(export_id=2)
    control.ensure_export(spec)
    control.ensure_export(gone)
    (filer.rules / "roadstead.conf").write_text("")
    before = filer.exports()
    control.ensure_export(spec)
    assert filer.exports() == before
    assert broken(control) == {spec.instance_id: None, gone.instance_id: "in no file of ours"}
    control.ensure_export_absent(gone.instance_id)
    filer.restart()
    assert set(filer.clients()) == {"/admin", spec.name}


def test_a_directory_that_is_not_there_is_refused_and_nothing_stays(
    filer: LegacyFiler, control: GaneshaFiler, wanted: Wanted
) -> None:
    good = wanted()
    control.ensure_export(good)
    bad = msgspec.structs.replace(wanted(export_id=2), path=f"{filer.path}/roadstead/shares/x")
    bad = msgspec.structs.replace(bad, path=bad.path[:-1] + ids.new_id())
    with pytest.raises(DriverError):
        control.ensure_export(bad)
    assert broken(control) == {good.instance_id: None}
    filer.restart()
    assert set(filer.clients()) == {"/admin", good.name}


def test_a_file_damaged_by_hand_is_not_overwritten(
    filer: LegacyFiler, control: GaneshaFiler, wanted: Wanted
) -> None:
    control.ensure_export(wanted())
    file = filer.rules / "roadstead.conf"
    damaged = file.read_text().replace('"instance_id"', '"instance')
    file.write_text(damaged)
    with pytest.raises(DriverError, match="damaged"):
        control.ensure_export(wanted())
    assert file.read_text() == damaged


def test_no_directory_to_write_to(filer: LegacyFiler, wanted: Wanted) -> None:
    options = {**filer.control_options, "config_directory": "/nowhere"}
    with pytest.raises(DriverError, match="/nowhere"):
        GaneshaFiler(GaneshaFiler.Options(**options)).ensure_export(wanted())


def test_a_filer_without_a_bus_name_of_its_own(netns: str, tmp_path: Path) -> None:
    with LegacyFiler(netns, [FILER], prefix="") as filer:
        assert list(GaneshaFiler(GaneshaFiler.Options(**filer.control_options)).inventory()) == []


@pytest.mark.parametrize("action", ["make", "change", "remove"])
def test_killed_at_every_step(
    filer: LegacyFiler, wanted: Wanted, client: Clients, action: str
) -> None:
    """Every state a killed agent leaves is put right by the next one's call, and by a restart of
    the filer alone it becomes one of the two wanted ones."""
    for step in range(1, 50):
        control = GaneshaFiler(GaneshaFiler.Options(**filer.control_options))
        spec = wanted()
        if action != "make":
            control.ensure_export(spec)

        def act(spec: FilerExport = spec) -> None:
            again = GaneshaFiler(GaneshaFiler.Options(**filer.control_options))
            if action == "remove":
                again.ensure_export_absent(spec.instance_id)
            else:
                again.ensure_export(to(spec, {TWO: "ro"}))

        killed = killed_at(step, act)
        filer.restart()
        assert filer.clients().get(spec.name) in (None, {TWO: "ro"}, {ONE: "rw"})
        act()
        served = None if action == "remove" else {TWO: "ro"}
        assert filer.clients().get(spec.name) == served
        control.ensure_export_absent(spec.instance_id)
        assert broken(control) == {}
        assert sorted(os.listdir(filer.rules)) == ["roadstead.conf"]
        if not killed:
            break
    assert not killed
    assert step > 4
