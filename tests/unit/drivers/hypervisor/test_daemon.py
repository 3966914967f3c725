"""Which virtiofsd a host has, and how it is told what libvirt cannot say."""

import subprocess
from pathlib import Path

import pytest

from roadstead.drivers.hypervisor import guest_os
from roadstead.drivers.hypervisor.libvirt import daemon
from roadstead.model.errors import DriverError
from roadstead.model.ids import new_id

C = """virtiofsd version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)
Copyright (c) 2003-2022 Fabrice Bellard and the QEMU Project developers
using FUSE kernel interface version 7.36
"""


def test_each_flavour_is_known() -> None:
    c = daemon.parse(C, "/c")
    assert (c.flavour, c.version, c.features) == ("c", "7.2.22", ("locks", "sgid-safe"))
    assert daemon.parse(C.replace("7.2.22", "6.2.0"), "/c").features == ("locks",)
    rust = daemon.parse("virtiofsd 1.13.2\n", "/rust")
    assert (rust.flavour, rust.version) == ("rust", "1.13.2")
    assert {"translate-ids", "readonly", "migration", "sgid-safe"} <= set(rust.features)
    assert "locks" not in rust.features
    old = daemon.parse("virtiofsd backend 1.4.0", "/rust")
    assert set(old.features) == {"sgid-safe", "file-handles"}
    with pytest.raises(DriverError):
        daemon.parse("bash 5.2", "/bin/bash")
    assert daemon.find("/nowhere/virtiofsd") is None


def test_a_daemon_that_needs_no_options_is_started_itself(tmp_path: Path) -> None:
    c = daemon.parse(C, "/usr/lib/qemu/virtiofsd")
    chosen = daemon.options(c, read_only=True, id_base=None, cache="never")
    wrappers = daemon.Wrappers(tmp_path / "daemons")
    assert wrappers.ensure(new_id(), c.path, chosen) == c.path
    assert not (tmp_path / "daemons").exists()


def test_nothing_but_what_must_be_stands_between_libvirt_and_a_daemon_that_migrates() -> None:
    """H-I10"""
    facts = daemon.parse("virtiofsd 1.13.2", "/rust")
    plain = {"read_only": True, "plain": True}
    assert daemon.options(facts, id_base=None, cache="never", **plain) == []
    assert "--readonly" in daemon.options(facts, id_base=None, cache="metadata", **plain)
    assert "--readonly" in daemon.options(facts, id_base=100_000, cache="never", **plain)


@pytest.mark.parametrize(
    "words",
    [
        ["-f", "--fd=3", "-o", "source={},xattr,cache=none"],  # libvirt 9
        ["--fd=3", "--shared-dir={}", "--cache=never"],
        ["--fd=3", "--shared-dir", "{}", "--cache", "never"],  # libvirt 11
    ],
)
def test_whose_a_running_daemon_is_by_each_spelling(tmp_path: Path, words: list[str]) -> None:
    attachment_id = new_id()
    program = tmp_path / "virtiofsd"
    program.write_text("#!/bin/sh\nread -r _\n")
    program.chmod(0o755)
    argv = [str(program), *(word.format(tmp_path / attachment_id) for word in words)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE) as process:
        try:
            while process.pid not in daemon.running(tmp_path).get(attachment_id, []):
                assert process.poll() is None
        finally:
            process.kill()


# H-I6, H-I8
def test_the_options_reach_the_daemon(tmp_path: Path) -> None:
    echo = tmp_path / "virtiofsd it's"
    echo.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    echo.chmod(0o755)
    facts = daemon.parse("virtiofsd 1.13.2", str(echo))
    chosen = daemon.options(facts, read_only=True, id_base=100_000, cache="metadata")
    wrappers, attachment_id = daemon.Wrappers(tmp_path / "daemons"), new_id()
    script = wrappers.ensure(attachment_id, facts.path, chosen)
    said = subprocess.run([script, "--fd=3", "-o", "x"], capture_output=True, text=True, check=True)
    assert said.stdout.split() == [
        "--inode-file-handles=prefer",
        "--readonly",
        "--translate-uid=map:0:100000:65536",
        "--translate-gid=map:0:100000:65536",
        "--cache=metadata",
        "--fd=3",
        "-o",
        "x",
    ]
    assert wrappers.translates(attachment_id)
    for _ in range(2):
        wrappers.ensure_absent(attachment_id)
        assert not wrappers.translates(attachment_id)


# H-I13
@pytest.mark.parametrize(
    ("os_id", "virtiofs", "nine"),
    [
        (None, True, True),
        ("http://example.org/unheard-of/1", True, True),
        ("http://debian.org/debian/12", True, True),
        ("http://debian.org/debian/10", False, True),
        ("http://ubuntu.com/ubuntu/18.04", False, True),
        ("http://ubuntu.com/ubuntu/22.04", True, True),
        ("http://redhat.com/rhel/7.9", False, False),
        ("http://redhat.com/rhel/8.6", True, False),
        ("http://rockylinux.org/rocky/9", True, False),
        ("http://microsoft.com/win/11", True, False),
        ("http://freebsd.org/freebsd/14.1", False, False),
        ("http://freebsd.org/freebsd/15.0", False, True),
    ],
)
def test_what_a_guest_lacks_is_named(os_id: str | None, virtiofs: bool, nine: bool) -> None:
    for driver, fine in (("virtiofs", virtiofs), ("9p", nine)):
        found = guest_os.missing(os_id, driver)
        assert (found == ()) is fine
        assert all(fact.code == "guest-os" and fact.fact and fact.fix for fact in found)
