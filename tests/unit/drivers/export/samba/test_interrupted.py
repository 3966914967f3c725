"""A Samba driver killed before and after anything it does leaves nothing that a second call, or
the way back, does not put right."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from roadstead.conformance.exports import ref
from roadstead.conformance.user_access import user
from roadstead.drivers.host import process
from tests.conformance.samba_bench import SambaLab
from tests.unit.drivers.pool.killing import EFFECTS, killed_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from roadstead.conformance.exports import ExportBench
    from roadstead.drivers.export.samba.driver import SambaExport
    from roadstead.model import world as w

pytestmark = [
    pytest.mark.crash,
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.xdist_group("samba-killed"),
]

_PROCESSES = [(process, "start"), (process, "end")]
# One file after the other goes: between two of them nothing is special.
_REMOVING = [(process, "end"), (os, "rmdir"), (shutil, "rmtree")]
ALICE, ROBERT = user("alice"), user("robert")


def _killed(
    lab: SambaLab,
    call: Callable[[SambaExport], object],
    effects: Sequence[tuple[object, str]] = (*EFFECTS, *_PROCESSES),
) -> Iterator[SambaExport]:
    """After each kill, and once after none, the driver as the next agent makes it."""
    # Only before each effect: after it is before the next.
    for step in itertools.count(1, 2):
        died = killed_at(step, lambda: call(lab.samba()), effects)
        yield lab.samba()
        if not died:
            assert step > 4  # fewer would mean that the effects are not those of the driver
            return


def _accounts(lab: SambaLab, place: w.Place) -> set[str]:
    """Users in the driver's own file and in Samba's database."""
    state = lab.smb_state(place)
    ours = set(json.loads((state / "accounts.json").read_text()))
    argv = ["pdbedit", "-s", str(state / "smb.conf"), "-L"]
    env = {
        "LD_PRELOAD": "libnss_wrapper.so",
        "NSS_WRAPPER_PASSWD": str(state / "passwd"),
        "NSS_WRAPPER_GROUP": str(state / "group"),
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    }
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=True)
    return ours | {line.partition(":")[0] for line in done.stdout.splitlines()}


def _first_ones(lab: SambaLab, place: w.Place) -> list[int]:
    """The server's processes that none of the others has started."""
    pids = lab.smbd(place)
    parents = {pid: int(Path(f"/proc/{pid}/stat").read_text().split()[3]) for pid in pids}
    return [pid for pid in pids if parents[pid] not in pids]


def _nothing_served(lab: SambaLab, driver: SambaExport, place: w.Place) -> None:
    assert list(driver.inventory(place)) == []
    assert not list((lab.smb_state(place) / "exports.d").glob("[0-9]*"))
    assert _accounts(lab, place) == set()


def test_while_a_server_is_made(lab: SambaLab) -> None:
    """The second call has one that listens; removed, nothing is left."""
    place = lab.place()
    for driver in _killed(lab, lambda killed: killed.ensure_server(place)):
        driver.ensure_server(place)
        assert len(_first_ones(lab, place)) == 1
        driver.ensure_server_absent(place)
        assert (lab.smbd(place), lab.smb_state(place).exists()) == ([], False)


def test_while_a_server_is_removed(lab: SambaLab) -> None:
    """The second call finds the rest."""
    place = lab.place()

    def remove(driver: SambaExport) -> None:
        driver.ensure_server_absent(place)

    lab.samba().ensure_server(place)
    for driver in _killed(lab, remove, _REMOVING):
        remove(driver)
        assert (lab.smbd(place), lab.smb_state(place).exists()) == ([], False)
        lab.samba().ensure_server(place)
    lab.samba().ensure_server_absent(place)


def test_while_a_share_is_exported(lab: SambaLab, bench: ExportBench) -> None:
    """Undone without a trace; done again, its user gets in, by the same password."""
    spec, place = bench.spec(), bench.place

    def export(driver: SambaExport) -> list[w.RuleOutcome]:
        driver.ensure_export(spec)
        return driver.ensure_access(ref(spec), [ALICE])

    for driver in _killed(lab, export):
        driver.ensure_server(place)
        (outcome,) = export(driver)
        assert [mark.broken for mark in driver.inventory(place)] == [None]
        assert lab.level(spec, "alice", outcome.access_key or "") == "rw"
        driver.ensure_export_absent(ref(spec))
        _nothing_served(lab, driver, place)


def test_while_a_share_is_exported_and_that_is_undone(lab: SambaLab, bench: ExportBench) -> None:
    """What the killed call had begun goes, whatever it was."""
    spec, place = bench.spec(), bench.place

    def export(driver: SambaExport) -> None:
        driver.ensure_export(spec)
        driver.ensure_access(ref(spec), [ALICE])

    for driver in _killed(lab, export):
        driver.ensure_export_absent(ref(spec))
        _nothing_served(lab, driver, place)


def test_while_users_are_refused(lab: SambaLab, bench: ExportBench) -> None:
    """D-I5: the next agent cuts off whom the killed one would have, and keeps the other in."""
    spec, place = bench.exported(ALICE, ROBERT), bench.place
    less = [msgspec.structs.replace(ALICE, access_level="ro")]
    for driver in _killed(lab, lambda killed: killed.ensure_access(ref(spec), less)):
        driver.ensure_server(place)
        driver.ensure_access(ref(spec), less)
        levels = {name: lab.level(spec, name, bench.keys[name]) for name in bench.keys}
        assert levels == {"alice": "ro", "robert": None}
        assert [(m.broken, m.facts["clients"]) for m in driver.inventory(place)] == [
            (None, {"alice": "ro"})
        ]
        assert _accounts(lab, place) == {"alice"}
        for outcome, name in zip(
            driver.ensure_access(ref(spec), [ALICE, ROBERT]), ("alice", "robert"), strict=True
        ):
            bench.keys[name] = outcome.access_key or ""


def test_while_an_export_is_removed(lab: SambaLab, bench: ExportBench) -> None:
    """The second call finds the rest."""
    place = bench.place
    spec = bench.exported(ALICE)
    for driver in _killed(lab, lambda killed: killed.ensure_export_absent(ref(spec))):
        driver.ensure_export_absent(ref(spec))
        _nothing_served(lab, driver, place)
        driver.ensure_export(spec)
        driver.ensure_access(ref(spec), [ALICE])
