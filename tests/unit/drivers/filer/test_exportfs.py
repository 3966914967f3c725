"""exportfs over a transport that stands in for ssh: a real shell, and a program that plays
exportfs. What a real knfsd does is in test_exportfs_real.py."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from roadstead.drivers.base.filer import FilerExport
from roadstead.drivers.filer.exportfs import text
from roadstead.drivers.filer.exportfs.driver import ExportfsFiler
from roadstead.drivers.filer.paths import share_path
from roadstead.model import ids
from roadstead.model.errors import DriverError, Transient, Unsupported
from tests.unit.drivers.filer.worlds import ONE, TWO

if TYPE_CHECKING:
    from collections.abc import Sequence

SIX = "fd00:30::21"
# The last word is the command line, which sshd hands to the user's shell.
SSH = """#!/bin/sh
[ -e "$0.down" ] && { echo "ssh: no route" >&2; exit 255; }
printf '%s\\n' "$@" > "$0.words"
for last; do :; done
PATH="${0%/*}:$PATH" exec sh -c "$last"
"""


class Filer:
    """A machine with exportfs."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "exports.d/road stead.exports"
        self.file.parent.mkdir()
        self.state = directory / "etab"
        self.state.write_text("")
        self.ssh = directory / "ssh"
        self.ssh.write_text(SSH)
        exportfs = directory / "exportfs"
        fake = Path(__file__).with_name("fake_exportfs.py")
        exportfs.write_text(f'#!/bin/sh\nexec {sys.executable} {fake} "{self.state}" "$@"\n')
        for program in (self.ssh, exportfs):
            program.chmod(0o755)

    def control(self) -> ExportfsFiler:
        return ExportfsFiler(
            ExportfsFiler.Options(
                host="filer.example", command=(str(self.ssh),), file=str(self.file)
            )
        )

    def live(self) -> dict[str, dict[str, str]]:
        """{path: {client: level}} in the kernel."""
        found = json.loads(self.state.read_text() or "{}")
        return {
            path: {client: options.split(",")[0] for client, options in clients.items()}
            for path, clients in found.items()
            if clients
        }

    def calls(self) -> list[list[str]]:
        """What exportfs was told, without questions; and forgotten."""
        log = Path(f"{self.state}.calls")
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return [words for words in map(json.loads, lines) if words != ["-v"]]


@pytest.fixture
def filer(tmp_path: Path) -> Filer:
    return Filer(tmp_path)


def spec(clients: dict[str, str], tree: str = "/export/vol 0 $(reboot)") -> FilerExport:
    id_ = ids.new_id()
    path = share_path(tree, id_)
    return FilerExport(instance_id=id_, export_id=3, path=path, name=path, clients=clients)


def found(control: ExportfsFiler) -> dict[str, tuple[object, str | None]]:
    return {mark.id: (mark.facts["clients"], mark.broken) for mark in control.inventory()}


@pytest.mark.parametrize(
    "tree", ["/e", "/export/vol 0", "/a;reboot", "/$(touch x)`touch y`", "/a&&b|c>d", "/ö/*?[x]~"]
)
def test_any_path_gets_through_the_shell(filer: Filer, tree: str) -> None:
    wanted = spec({ONE: "rw", TWO: "ro", SIX: "rw"}, tree)
    control = filer.control()
    control.ensure_export(wanted)
    assert filer.live() == {wanted.path: wanted.clients}
    assert found(control) == {wanted.instance_id: (wanted.clients, None)}
    control.ensure_export_absent(wanted.instance_id)
    assert filer.live() == {}
    assert found(control) == {}


def test_what_exportfs_is_told(filer: Filer) -> None:
    wanted = spec({ONE: "rw", SIX: "ro"})
    filer.control().ensure_export(wanted)
    always = f"insecure,sync,no_root_squash,subtree_check,sec=sys,fsid={wanted.instance_id}"
    assert filer.calls() == [
        ["-o", f"rw,{always}", f"{ONE}:{wanted.path}"],
        ["-o", f"ro,{always}", f"[{SIX}]:{wanted.path}"],
    ]


def test_again_tells_it_nothing(filer: Filer) -> None:
    wanted = spec({ONE: "rw"})
    filer.control().ensure_export(wanted)
    filer.calls()
    before = filer.file.stat()
    filer.control().ensure_export(wanted)
    assert filer.calls() == []
    after = filer.file.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_only_what_differs_changes_and_who_goes_goes_first(filer: Filer) -> None:
    wanted = spec({ONE: "rw", TWO: "rw"})
    control = filer.control()
    control.ensure_export(wanted)
    filer.calls()
    changed = msgspec.structs.replace(wanted, clients={TWO: "ro", SIX: "rw"})
    control.ensure_export(changed)
    assert [words[0] for words in filer.calls()] == ["-u", "-o", "-o"]
    assert filer.live() == {wanted.path: {TWO: "ro", SIX: "rw"}}


def test_the_file_brings_everything_back(filer: Filer) -> None:
    """It says the same as the kernel, in the syntax of exports(5)."""
    one, two = spec({ONE: "rw", SIX: "ro"}), spec({})
    control = filer.control()
    for wanted in (one, two):
        control.ensure_export(wanted)
    lines = [line for line in filer.file.read_text().splitlines() if not line.startswith("#")]
    always = f"insecure,sync,no_root_squash,subtree_check,sec=sys,fsid={one.instance_id}"
    assert lines == [f'"{one.path}" {ONE}(rw,{always}) {SIX}(ro,{always})']
    assert filer.file.stat().st_mode & 0o777 == 0o644
    assert not list(filer.file.parent.glob("*.tmp"))
    filer.state.write_text("")
    assert found(control)[one.instance_id] == ({}, "other clients are admitted")
    control.ensure_export(one)
    assert filer.live() == {one.path: one.clients}


def test_others_exports_are_never_touched(filer: Filer) -> None:
    theirs = {"/srv/theirs": {"*": "rw,sync"}, "/long/enough/for/its/own/line": {ONE: "ro"}}
    filer.state.write_text(json.dumps(theirs))
    control, wanted = filer.control(), spec({ONE: "rw"})
    control.ensure_export(wanted)
    other = spec({TWO: "rw"}, "/another/roadstead")
    filer.state.write_text(
        json.dumps(json.loads(filer.state.read_text()) | {other.path: {TWO: "rw"}})
    )
    assert list(found(control)) == [wanted.instance_id]
    control.ensure_export_absent(wanted.instance_id)
    control.ensure_export_absent(ids.new_id())
    assert set(filer.live()) == {*theirs, other.path}


def test_one_left_without_a_file_is_found_and_removed(filer: Filer) -> None:
    control, kept, lost = filer.control(), spec({ONE: "rw"}), spec({TWO: "rw"})
    for wanted in (kept, lost):
        control.ensure_export(wanted)
    rules = text.parse_file(filer.file.read_text())
    del rules[lost.instance_id]
    filer.file.write_text(text.exports_text(rules.values()))
    assert found(control)[lost.instance_id] == ({TWO: "rw"}, "in no file of ours")
    control.ensure_export_absent(lost.instance_id)
    assert list(filer.live()) == [kept.path]


def test_errors(filer: Filer) -> None:
    control, wanted = filer.control(), spec({ONE: "rw"})
    with pytest.raises(Unsupported, match="path"):
        control.ensure_export(msgspec.structs.replace(wanted, name="/share"))
    with pytest.raises(Unsupported):
        control.ensure_size(wanted.path, 1)
    filer.file.parent.rmdir()
    with pytest.raises(DriverError, match="refused"):
        control.ensure_export(wanted)
    assert filer.live() == {}
    Path(f"{filer.ssh}.down").touch()
    for call in (
        lambda: control.ensure_export(wanted),
        lambda: control.ensure_export_absent(wanted.instance_id),
        lambda: list(control.inventory()),
    ):
        with pytest.raises(Transient, match="no route"):
            call()


def test_nobody_is_asked_and_no_unknown_host_is_trusted(filer: Filer) -> None:
    options = ExportfsFiler.Options(
        host="-oProxyCommand=reboot",
        user="filer",
        port=2222,
        identity_file="/etc/roadstead/filer key",
        known_hosts="/etc/roadstead/known",
        command=(str(filer.ssh),),
        file=str(filer.file),
    )
    list(ExportfsFiler(options).inventory())
    words = Path(f"{filer.ssh}.words").read_text().splitlines()
    assert words[words.index("--") + 1] == "-oProxyCommand=reboot"
    for option in (
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        "ConnectTimeout=10",
        "IdentityFile=/etc/roadstead/filer key",
        "UserKnownHostsFile=/etc/roadstead/known",
    ):
        assert words[words.index(option) - 1] == "-o"
    assert words[words.index("-p") + 1] == "2222"
    assert words[words.index("-l") + 1] == "filer"


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ([], {}),
        (["/short        \t10.0.0.1(sync,rw,insecure)"], {"/short": {"10.0.0.1": "rw"}}),
        (
            ["/a/long/path/of/somebody", "\t\t10.0.0.1(ro,sync)", "\t\tfd00::1(sync,rw)"],
            {"/a/long/path/of/somebody": {"10.0.0.1": "ro", "fd00::1": "rw"}},
        ),
        (["/x\t10.0.0.1(rw,no_subtree_check)"], {"/x": {"10.0.0.1": "other"}}),
        (["/x\t10.0.0.1(rw,root_squash)"], {"/x": {"10.0.0.1": "other"}}),
        (["/with a space\t<world>(ro)"], {"/with a space": {"<world>": "ro"}}),
        (["/with (brackets) x", "\t\t10.0.0.1(rw)"], {"/with (brackets) x": {"10.0.0.1": "rw"}}),
    ],
)
def test_the_listing(printed: Sequence[str], expected: dict[str, dict[str, str]]) -> None:
    assert text.parse_listing("\n".join(printed) + "\n") == expected
