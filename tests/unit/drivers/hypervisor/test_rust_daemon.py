"""The Rust virtiofsd does what QEMU's cannot: it moves ids and is read-only itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from roadstead.conformance.hypervisor_bench import HypervisorBench, ref
from roadstead.drivers.compute import users
from tests.conformance.libvirt_lab import LibvirtLab
from tests.lab.newer import rust_virtiofsd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.build import Image
    from tests.lab.domain import Domain

pytestmark = [pytest.mark.real, pytest.mark.vm, pytest.mark.xdist_group("libvirt-rust")]


@pytest.fixture(scope="module")
def lab(lab_image: Image) -> Iterator[LibvirtLab]:
    with LibvirtLab(lab_image, virtiofsd=rust_virtiofsd()) as lab:
        yield lab


def options_of(source: str) -> str:
    """The command line of the daemon that serves the directory."""
    pid = users.of(Path(source))[0]
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")


# H-I8
def test_the_guests_root_is_nobody_on_the_host(bench: HypervisorBench, guest: Domain) -> None:
    spec = bench.spec(guest.id, ids="translated")
    share = Path(spec.source).parent.parent / "mount"
    share.chmod(0o777)
    device = bench.driver.ensure_attached(spec)
    assert device.ids == "translated"
    assert bench.driver.ensure_attached(spec) == device
    assert guest.mount(device.mount_command).rc == 0
    guest.sh("cp /bin/busybox /mnt/suid; chmod 4755 /mnt/suid; chown 1000:1000 /mnt/suid")
    guest.sh("echo x > /mnt/root")
    owners = {path.name: (path.stat().st_uid, path.stat().st_gid) for path in share.iterdir()}
    assert owners == {"suid": (101_000, 101_000), "root": (100_000, 100_000)}
    assert guest.sh("stat -c %u /mnt/root /mnt/suid").output == "0\n1000\n"
    guest.sh("mknod /mnt/disk b 254 0", check=False)
    assert not (share / "disk").exists()


# H-I6
def test_read_only_is_enforced_twice(bench: HypervisorBench, guest: Domain) -> None:
    spec = bench.spec(guest.id, read_only=True, bound_read_only=True)
    device = bench.driver.ensure_attached(spec)
    assert "--readonly" in options_of(spec.source)
    assert guest.mount(device.mount_command.replace("-o ro ", "")).rc == 0
    assert "Read-only" in guest.sh("touch /mnt/x", check=False).output


def test_its_facts_are_told(bench: HypervisorBench, guest: Domain) -> None:
    # H-M3
    daemon = bench.driver.capabilities().virtiofsd
    assert daemon is not None
    assert daemon.flavour == "rust"
    spec = bench.spec(guest.id, enforce_locks=True)
    assert [fact.code for fact in bench.driver.why_not(spec)] == ["locks"]


def test_nothing_is_left_of_it(bench: HypervisorBench, lab: LibvirtLab, guest: Domain) -> None:
    # H-I2
    spec = bench.spec(guest.id)
    bench.driver.ensure_attached(spec)
    assert "--inode-file-handles=prefer" in options_of(spec.source)
    scripts = list(Path(lab.mounts.layout.directory.parent).glob("hypervisor/daemons/*"))
    assert [path.name for path in scripts] == [spec.attachment_id]
    bench.driver.ensure_detached(ref(spec))
    assert not scripts[0].exists()
    assert users.of(Path(spec.source)) == []
