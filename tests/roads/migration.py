"""Two compute hosts on one machine, between which real VMs migrate.

Each has namespaces of its own for mounts, processes and network, with our agent in them, and a
libvirtd in the first two. Both have the directory of the mounts at the same path, as two machines
would, and get at shares by NFS from an address of their own.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomli_w

from roadstead.config import load as configuration
from roadstead.drivers.hypervisor.libvirt import binding
from tests.lab import newer
from tests.lab.channel import Channel
from tests.lab.domain import Domain
from tests.lab.libvirtd import Libvirtd
from tests.lab.process import spawn, stop, until_ready
from tests.roads.hypervisor import by_nfs
from tests.temporary import Temporary

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from tests.lab.segment import ClientNs, Segment
    from tests.live.service import Roadstead


class ComputeHost(Temporary):
    """libvirtd and agent of one host; `directory` is where it mounts shares."""

    def __init__(self, name: str, service: Roadstead, directory: Path, network: ClientNs) -> None:
        self.name = name
        self.directory = directory
        self.address = network.ip
        self._netns = network.netns
        self._service = service

    def _make(self, undo: contextlib.ExitStack) -> None:
        self._state = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="rs-node-")))
        self.libvirtd = undo.enter_context(Libvirtd(programs=newer.hypervisor()))
        self.libvirtd.inside(["mount", "-t", "tmpfs", self.name, str(self.directory)])
        self._start()
        undo.callback(stop, self._agent)

    def mounted(self) -> list[str]:
        """What is mounted for VMs, by its path below the directory."""
        done = subprocess.run(
            [*self.libvirtd.enter, "cat", "/proc/self/mountinfo"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        points = (Path(line.split()[4]) for line in done.stdout.splitlines())
        return sorted(
            {str(p.relative_to(self.directory)) for p in points if self.directory in p.parents}
        )

    def log(self) -> str:
        """What the agent said last."""
        return (self._state / "log").read_text()[-6000:]

    def _start(self) -> None:
        options = {"uri": self.libvirtd.uri, "virtiofsd": newer.rust_virtiofsd()}
        config: dict[str, Any] = {
            "host": self.name,
            "state_directory": str(self._state),
            "run_directory": str(self._state),
            "database": f"sqlite:///{self._service.state}/db/roadstead.sqlite",
            "backends": {},
            "leak_grace_seconds": 1,
            "compute": {
                "hypervisor": "libvirt",
                "hypervisor_options": options,
                "mounts": str(self.directory),
                **by_nfs(self.address),
            },
        }
        file, effective = self._state / "roadstead.toml", self._state / "effective.json"
        file.write_text(tomli_w.dumps(config))
        configuration.write_effective(configuration.load(file, {}), effective)
        agent = [sys.executable, "-m", "roadstead.agent", "--config", str(effective)]
        with (self._state / "log").open("wb") as output:
            self._agent = spawn([*self.libvirtd.enter, *agent], netns=self._netns, output=output)

    def wait_ready(self) -> None:
        """The agent has looked at its host once."""
        mark, about = self._state / "agent.ready", f"the agent of {self.name} is ready"
        until_ready(self._agent, mark.exists, about, seconds=60, log=self.log)


class Migrating(Domain):
    """A VM that can go to another host."""

    def migrate(self, to: Libvirtd, *, mib_per_second: int = 0) -> float:
        """It runs there and not here; the seconds that took. As `virsh migrate --live --persistent
        --undefinesource` does it, not faster than that if given."""
        lib: Any = binding.load()
        with self._libvirtd.connection.using() as here, to.connection.using() as there:
            domain = here.lookupByUUIDString(self.id)
            text = domain.XMLDesc(lib.VIR_DOMAIN_XML_MIGRATABLE)
            # One machine: the channel's socket cannot be at the same path on both.
            text = text.replace(f"{self.directory}/ctl", f"{self.directory}/there")
            how: dict[str, str | int] = {
                lib.VIR_MIGRATE_PARAM_URI: "tcp://127.0.0.1",
                lib.VIR_MIGRATE_PARAM_DEST_XML: text,
                lib.VIR_MIGRATE_PARAM_PERSIST_XML: text,
            }
            if mib_per_second:
                how[lib.VIR_MIGRATE_PARAM_BANDWIDTH] = mib_per_second
            flags: int = lib.VIR_MIGRATE_LIVE | lib.VIR_MIGRATE_PERSIST_DEST
            flags |= lib.VIR_MIGRATE_UNDEFINE_SOURCE
            began = time.monotonic()
            domain.migrate3(there, how, flags)
            seconds = time.monotonic() - began
        self._libvirtd = to
        self._channel.close()
        self._channel = Channel(self.directory / "there", 20)
        threading.Thread(target=self._receive, name="guest-answers", daemon=True).start()
        return seconds


@contextlib.contextmanager
def two_hosts(service: Roadstead, segment: Segment) -> Generator[tuple[ComputeHost, ComputeHost]]:
    """("left", "right"), both ready."""
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rs-mounts-")))
        left, right = (
            stack.enter_context(ComputeHost(name, service, directory, segment.client_ns()))
            for name in ("left", "right")
        )
        for host in (left, right):
            host.wait_ready()
        yield left, right


def failing_with(hosts: Iterable[ComputeHost]) -> str:
    """What the agents said, for a failed test."""
    return os.linesep.join(f"--- {host.name}\n{host.log()}" for host in hosts)
