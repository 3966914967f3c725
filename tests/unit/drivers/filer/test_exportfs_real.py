"""exportfs over ssh against a real Linux NFS server, in a guest of its own: what its clients meet.
G-I2, G-I5, X-1 on the filer's side."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from roadstead.drivers.base.filer import FilerExport
from roadstead.drivers.filer.exportfs.driver import ExportfsFiler
from roadstead.drivers.filer.paths import share_path
from roadstead.model import ids
from roadstead.model.errors import DriverError, Transient
from tests.lab.knfsd import KnfsdFiler
from tests.lab.nfs4 import Client, NfsError
from tests.lab.rpc import RpcError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.lab.fixtures import SegmentFactory
    from tests.lab.segment import ClientNs, Segment

pytestmark = [pytest.mark.real, pytest.mark.vm, pytest.mark.slow]

FILER = 2
FILE = "/etc/exports.d/roadstead.exports"
FILE_ID_OF_INODE = 1  # linux/exportfs.h: FILEID_INO32_GEN
FILE_ID_WITH_PARENT = 2


@pytest.fixture(scope="module")
def segment(segment_factory: SegmentFactory) -> Segment:
    return segment_factory()


@pytest.fixture(scope="module")
def filer(segment: Segment) -> Iterator[KnfsdFiler]:
    with KnfsdFiler(segment.nic(FILER)) as filer:
        yield filer


@pytest.fixture(scope="module")
def clients(segment: Segment) -> tuple[ClientNs, ClientNs]:
    return segment.client_ns(), segment.client_ns()


@pytest.fixture
def control(filer: KnfsdFiler, segment: Segment) -> Iterator[ExportfsFiler]:
    """Nothing is exported, by nobody, before and after."""
    control = ExportfsFiler(ExportfsFiler.Options(**filer.control_options(segment.service_netns)))
    yield control
    filer.sh(f"exportfs -au; rm -f {FILE}")


@pytest.fixture
def wanted(filer: KnfsdFiler, clients: tuple[ClientNs, ClientNs]) -> Callable[..., FilerExport]:
    """An export of a directory that is there, with a file in it; the first client may write."""

    def make(admitted: dict[str, str] | None = None) -> FilerExport:
        id_ = ids.new_id()
        path = share_path(filer.tree, id_)
        filer.sh(f"mkdir -p {path} && printf hello > {path}/file && sync")
        admitted = {clients[0].ip: "rw"} if admitted is None else admitted
        return FilerExport(instance_id=id_, export_id=1, path=path, name=path, clients=admitted)

    return make


def session(segment: Segment, client: ClientNs, version: int = 4) -> Client:
    """A client of the filer, from a port that any user may have."""
    six = version == 6
    server = segment.address6(FILER) if six else segment.address(FILER)
    return Client(server, source=client.ip6 if six else client.ip, netns=client.netns)


def level(client: Client, spec: FilerExport) -> str:
    """rw, ro, or as what the request is refused."""
    try:
        file = client.lookup(f"{spec.name}/file")
        assert client.read(file, 0, 5) == b"hello"
        client.write(file, 0, b"hello")
    except NfsError as error:
        return "ro" if error.status_name == "ROFS" else error.status_name
    except RpcError:
        return "nobody"  # of whom the filer knows nothing
    return "rw"


def found(control: ExportfsFiler) -> dict[str, tuple[object, str | None]]:
    return {mark.id: (mark.facts["clients"], mark.broken) for mark in control.inventory()}


def narrowed(spec: FilerExport, clients: dict[str, str]) -> FilerExport:
    return msgspec.structs.replace(spec, clients=clients)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.isolation
def test_each_client_has_its_level_and_strangers_none(
    segment: Segment,
    control: ExportfsFiler,
    clients: tuple[ClientNs, ClientNs],
    wanted: Callable[..., FilerExport],
    version: int,
) -> None:
    """From IPv4 and IPv6 addresses."""
    one, two = (c.ip6 if version == 6 else c.ip for c in clients)
    spec, other = wanted({one: "rw", two: "ro"}), wanted({one: "rw"})
    for export in (spec, other):
        control.ensure_export(export)
    with session(segment, clients[0], version) as writer:
        assert (level(writer, spec), level(writer, other)) == ("rw", "rw")
    with session(segment, clients[1], version) as reader:
        assert level(reader, spec) == "ro"
        assert level(reader, other) == "NOENT"
        names = [e.name for e in reader.readdir(reader.lookup(spec.path.rpartition("/")[0]))]
        assert names == [spec.instance_id]
    with pytest.raises(RpcError):
        session(segment, segment.client_ns(), version)
    assert found(control) == {e.instance_id: (e.clients, None) for e in (spec, other)}


def test_again_changes_nothing(
    filer: KnfsdFiler, control: ExportfsFiler, wanted: Callable[..., FilerExport]
) -> None:
    spec = wanted()
    control.ensure_export(spec)
    state = f"stat -c '%i %y' {FILE} /var/lib/nfs/etab"
    before = filer.sh(state)
    control.ensure_export(spec)
    assert filer.sh(state) == before


@pytest.mark.isolation
def test_narrowing_meets_sessions_that_are_there(
    segment: Segment,
    control: ExportfsFiler,
    clients: tuple[ClientNs, ClientNs],
    wanted: Callable[..., FilerExport],
) -> None:
    """G-I2: with a file open, the next request after the call is refused; admitted again, the same
    session goes on."""
    one, two = (client.ip for client in clients)
    spec = wanted({one: "rw", two: "rw"})
    control.ensure_export(spec)
    with session(segment, clients[0]) as first, session(segment, clients[1]) as second:
        opened = [c.open(c.lookup(spec.path), "file", write=True) for c in (first, second)]
        control.ensure_export(narrowed(spec, {one: "ro"}))
        with pytest.raises(NfsError, match="ROFS"):
            first.write(opened[0], 0, b"HELLO")
        assert first.read(opened[0], 0, 5) == b"hello"
        with pytest.raises(RpcError):
            second.read(opened[1], 0, 5)
        control.ensure_export(spec)
        assert first.write(opened[0], 0, b"again") == 5
        assert second.read(opened[1], 0, 5) == b"again"
        control.ensure_export_absent(spec.instance_id)
        for client, file in zip((first, second), opened, strict=True):
            with pytest.raises(RpcError):
                client.read(file, 0, 5)
    assert found(control) == {}


@pytest.mark.isolation
def test_a_forged_handle_stays_in_its_share(
    segment: Segment,
    filer: KnfsdFiler,
    control: ExportfsFiler,
    clients: tuple[ClientNs, ClientNs],
    wanted: Callable[..., FilerExport],
) -> None:
    """X-1: of one filesystem, neither the root nor another share is reached through an export."""
    mine, theirs = wanted(), wanted({clients[1].ip: "rw"})
    for spec in (mine, theirs):
        control.ensure_export(spec)
    listed = filer.sh(f"stat -c %i {theirs.path} /srv/etc {theirs.path}/file").split()
    above, _, inode = targets = [int(number) for number in listed]
    with session(segment, clients[0]) as client:
        # Directories above the exports are seen, too: by exports that the filer makes up.
        roots = [client.lookup(path) for path in ("/srv", filer.tree, mine.path)]
        forged = [_forge(root, target) for root in roots for target in targets]
        forged += [_forge(root, target, above) for root in roots for target in targets]
        forged += [_forge(roots[-1], 2), _forge(roots[-1], 2, 2)]  # the filesystem's root
        for handle in forged:
            with pytest.raises(NfsError, match="STALE"):
                client.getattr(handle, "type")
        # What the administrator's usual option would mean, so that the test above says something.
        options = f"rw,insecure,no_root_squash,no_subtree_check,fsid={mine.instance_id}"
        filer.sh(f"exportfs -o {options} {clients[0].ip}:{mine.path}")
        assert client.read(_forge(roots[-1], inode), 0, 5) == b"hello"
        assert found(control)[mine.instance_id][1] == "other clients are admitted"
        control.ensure_export(mine)
        with pytest.raises(NfsError, match="STALE"):
            client.read(_forge(roots[-1], inode), 0, 5)


def _forge(root: bytes, inode: int, parent: int | None = None) -> bytes:
    """A handle in the export whose root's this is; the kernel takes generation 0 for any."""
    kind = FILE_ID_OF_INODE if parent is None else FILE_ID_WITH_PARENT
    parts = [inode, 0] if parent is None else [inode, 0, parent, 0]
    return root[:3] + bytes([kind]) + root[4:] + struct.pack(f"<{len(parts)}I", *parts)


def test_the_administrators_own_exports_stay(
    segment: Segment,
    filer: KnfsdFiler,
    control: ExportfsFiler,
    clients: tuple[ClientNs, ClientNs],
    wanted: Callable[..., FilerExport],
) -> None:
    """In /etc/exports, in a file beside ours, and made by hand; neither touched nor reported."""
    two = clients[1].ip
    filer.sh(
        "mkdir -p /srv/a /srv/b /srv/c && for d in a b c; do printf hello > /srv/$d/file; done"
    )
    filer.sh(f"echo '/srv/a {two}(rw,no_root_squash,insecure)' > /etc/exports")
    filer.sh(f"echo '/srv/b {two}(ro,insecure)' > /etc/exports.d/admin.exports; exportfs -r")
    filer.sh(f"exportfs -o ro,insecure {two}:/srv/c")
    theirs = filer.sh("exportfs -s")
    spec = wanted()
    control.ensure_export(spec)
    assert list(found(control)) == [spec.instance_id]
    control.ensure_export(narrowed(spec, {two: "ro"}))
    control.ensure_export_absent(spec.instance_id)
    assert sorted(filer.sh("exportfs -s").splitlines()) == sorted(theirs.splitlines())
    with session(segment, clients[1]) as client:
        for name in ("/srv/a", "/srv/b", "/srv/c"):
            assert client.read(client.lookup(f"{name}/file"), 0, 5) == b"hello"
    filer.sh("rm /etc/exports.d/admin.exports; : > /etc/exports")


@pytest.mark.parametrize("how", ["restart", "reboot"])
def test_a_filer_that_comes_back_has_ours_again(
    segment: Segment,
    filer: KnfsdFiler,
    control: ExportfsFiler,
    clients: tuple[ClientNs, ClientNs],
    wanted: Callable[..., FilerExport],
    how: str,
) -> None:
    """From the file, without us, even when its power was cut right after the call; and clients'
    handles are good as before."""
    one, two = (client.ip for client in clients)
    spec = wanted({one: "rw", two: "ro", clients[0].ip6: "rw"})
    control.ensure_export(spec)
    with session(segment, clients[0]) as client:
        handle = client.lookup(f"{spec.path}/file")
    getattr(filer, how)()
    filer.end_grace()
    assert found(control) == {spec.instance_id: (spec.clients, None)}
    with session(segment, clients[0]) as client:
        assert client.read(handle, 0, 5) == b"hello"
        assert level(client, spec) == "rw"
    with session(segment, clients[1]) as client:
        assert level(client, spec) == "ro"


def test_what_is_lost_is_told_and_made_again(
    segment: Segment,
    filer: KnfsdFiler,
    control: ExportfsFiler,
    clients: tuple[ClientNs, ClientNs],
    wanted: Callable[..., FilerExport],
) -> None:
    """Somebody unexported it by hand; or its line is gone from the file, and it is not."""
    kept, lost = wanted(), wanted()
    for spec in (kept, lost):
        control.ensure_export(spec)
    filer.sh("exportfs -au")
    assert found(control)[kept.instance_id] == ({}, "other clients are admitted")
    for spec in (kept, lost):
        control.ensure_export(spec)
    filer.sh(f"sed -i /{lost.instance_id}/d {FILE}")
    assert found(control)[lost.instance_id] == (lost.clients, "in no file of ours")
    control.ensure_export_absent(lost.instance_id)
    with session(segment, clients[0]) as client:
        assert (level(client, kept), level(client, lost)) == ("rw", "NOENT")


def test_a_share_is_unexported_after_its_directory_went(
    filer: KnfsdFiler, control: ExportfsFiler, wanted: Callable[..., FilerExport]
) -> None:
    """And one without a directory is never said to be exported."""
    spec, never = wanted(), wanted()
    control.ensure_export(spec)
    filer.sh(f"rm -r {spec.path} {never.path}")
    for _ in range(2):
        with pytest.raises(DriverError, match="No such file"):
            control.ensure_export(never)
    for export in (spec, never):
        control.ensure_export_absent(export.instance_id)
    assert found(control) == {}
    assert filer.sh("exportfs -s").strip() == ""


def test_while_the_nfs_server_is_down_rules_are_kept_for_it(
    segment: Segment,
    filer: KnfsdFiler,
    control: ExportfsFiler,
    clients: tuple[ClientNs, ClientNs],
    wanted: Callable[..., FilerExport],
) -> None:
    spec = wanted()
    filer.stop()
    control.ensure_export(spec)
    filer.start()
    filer.end_grace()
    with session(segment, clients[0]) as client:
        assert level(client, spec) == "rw"


def test_a_filer_that_cannot_be_reached_or_is_another_one(
    segment: Segment, filer: KnfsdFiler, control: ExportfsFiler, wanted: Callable[..., FilerExport]
) -> None:
    """Later it may be; but a host that shows another key is never told anything."""
    options, spec = filer.control_options(segment.service_netns), wanted()
    away: dict[str, Any] = {**options, "host": segment.address(99)}
    stranger: dict[str, Any] = {**options, "known_hosts": "/dev/null"}
    for told in (away, stranger):
        unreachable = ExportfsFiler(ExportfsFiler.Options(**told))
        with pytest.raises(Transient, match="cannot be logged in"):
            unreachable.ensure_export(spec)
        with pytest.raises(Transient, match="cannot be logged in"):
            list(unreachable.inventory())
    assert filer.sh("exportfs -s").strip() == ""
    control.ensure_export(spec)
