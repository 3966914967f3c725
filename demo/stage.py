"""What a road plays on: a segment, the service at it, and virtual machines."""

from __future__ import annotations

import contextlib
import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from demo.together import enter_together
from tests.lab.build import build
from tests.lab.guest import Guest
from tests.lab.nfs_client import NfsClient
from tests.lab.segment import Segment
from tests.live.service import Roadstead

if TYPE_CHECKING:
    from collections.abc import Mapping

    from demo.scene import Act

PROGRAMS = (
    *("ip", "nsenter", "setpriv", "qemu-system-x86_64"),
    *("busybox", "cpio", "depmod", "dpkg-deb", "apt-get"),
)
DEVICES = ("/dev/net/tun", "/dev/loop-control")


class Stage:
    """A flat network with a running service and booted clients, until the stack closes."""

    def __init__(self, act: Act, stack: ExitStack, hosts: Mapping[str, int]) -> None:
        """hosts: the name of each VM and its host number on the segment."""
        self.act = act
        self.hosts = hosts
        image = build()
        self.segment = Segment()
        self.service = Roadstead(self.segment)
        # Registered first, so that it looks when all the others have cleaned up.
        stack.callback(self._nothing_left)
        enter_together(act, stack, {"a bridge in network namespaces": self.segment})
        linux = (image.kernel.parent / "version").read_text().strip()
        guests = {
            name: Guest(image, [self.segment.nic(host)], modules=["nfsv4"])
            for name, host in hosts.items()
        }
        managers = {f"{name} boots Linux {linux}": guest for name, guest in guests.items()}
        service = {"roadstead up: API, agent and export server": self.service}
        enter_together(act, stack, {**service, **managers})
        self.vms = {name: NfsClient(guest) for name, guest in guests.items()}
        self.api = self.service.api()

    def address(self, vm: str) -> str:
        return self.segment.address(self.hosts[vm])

    def address6(self, vm: str) -> str:
        return self.segment.address6(self.hosts[vm])

    def openstack(self, *words: str, show: bool = False) -> None:
        """The stock client has run, its command shown as typed, its output if wanted."""
        with self.act.command(["openstack", "--os-cloud", "roadstead", *words]):
            output = self.service.openstack(*words)
        if show:
            self.act.screen.output(output)

    def _nothing_left(self) -> None:
        with contextlib.suppress(OSError):
            self.service.state.rmdir()  # empty if the service was never started
        words = (self.service.state.name, self.segment.name)
        found = [trace for word in words for trace in traces(word)]
        found += [f"directory {self.service.state}"] if self.service.state.exists() else []
        if found:
            raise RuntimeError("\n".join(found))


def traces(word: str) -> list[str]:
    """Where the kernel still knows the word: mounts, loop devices, processes, namespaces."""
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    found = [f"mount {line.split()[4]}" for line in mounts if word in line]
    for path in Path("/sys/block").glob("loop*/loop/backing_file"):
        found += [f"{path.parts[3]} of {text.strip()}" for text in _text(path) if word in text]
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        lines = [text.replace("\0", " ") for text in _text(path) if word in text]
        found += [f"process {path.parts[2]}: {line[:60]}" for line in lines]
    # A missing directory has no entries: then there is no namespace either.
    found += [f"namespace {path.name}" for path in Path("/run/netns").glob(f"*{word}*")]
    return found


def files_with(word: str, below: Path) -> list[str]:
    """Files and directories named with the word, and configuration files that contain it."""
    found: list[str] = []
    for directory, names, files in os.walk(below):
        found += [f"{directory}/{name}" for name in (*names, *files) if word in name]
        paths = [Path(directory, name) for name in files if name.endswith(".conf")]
        found += [str(path) for path in paths for text in _text(path) if word in text]
    return found


def _text(path: Path) -> list[str]:
    """The file's text; nothing when it has gone meanwhile."""
    try:
        return [path.read_text(errors="replace")]
    except OSError:
        return []
