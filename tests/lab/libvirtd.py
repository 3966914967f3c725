"""A libvirtd of a test's own: beside the machine's; it and all it started end with the test."""

import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from roadstead.drivers.host import mounts
from roadstead.drivers.hypervisor.libvirt.connection import Connection
from roadstead.model.errors import Transient
from tests.lab.build import cache_directory
from tests.lab.process import spawn, stop, until_ready
from tests.lab.requirements import require
from tests.temporary import Temporary

# As root and without the kernel's security modules: nothing but our own measures protects anybody.
QEMU_CONF = """
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
stdio_handler = "file"
"""
DAEMON_CONF = """
unix_sock_dir = "{directory}/sock"
unix_sock_rw_perms = "0700"
auth_unix_rw = "none"
auth_unix_ro = "none"
host_uuid = "{uuid}"
log_outputs = "3:file:{directory}/libvirtd.log"
"""
# libvirt looks these up even where its configuration names others.
ACCOUNTS = (
    ("passwd", "libvirt-qemu", "libvirt-qemu:x:64055:64055::/:/usr/sbin/nologin"),
    ("group", "libvirt-qemu", "libvirt-qemu:x:64055:"),
    ("group", "kvm", "kvm:x:64056:"),
)
# What libvirt calls by fixed paths is this test's own in a mount namespace.
PLACES = {
    "passwd": "/etc/passwd",
    "group": "/etc/group",
    "etc": "/etc/libvirt",
    "lib": "/var/lib/libvirt",
    "run": "/run/libvirt",
    "log": "/var/log/libvirt",
}
CACHE = "/var/cache/libvirt"
MODULES = ("lib/x86_64-linux-gnu/libvirt", "lib/x86_64-linux-gnu/qemu")


class Libvirtd(Temporary):
    """Runs between enter and exit. Mounts made later below `shared` are seen by it."""

    def __init__(self, *, shared: Sequence[Path] = (), programs: Path | None = None) -> None:
        """`programs`: a /usr over this machine's, where libvirtd, QEMU and their parts are others'
        (`newer.hypervisor`)."""
        require("libvirtd", "qemu-system-x86_64", "setpriv", "unshare", "nsenter", root=True)
        self._shared = shared
        self._programs = programs

    def _make(self, undo: ExitStack) -> None:
        for directory in self._shared:
            # Before the namespace is made: afterwards it would be too late.
            mounts.ensure_shared(directory)
        # A short path: libvirt's sockets below it may have 107 characters.
        self.directory = Path(tempfile.mkdtemp(prefix="rs-virt-"))
        undo.callback(self._end)
        self.uri = f"qemu+unix:///system?socket={self.directory}/sock/libvirt-sock"
        self.connection = Connection(self.uri)
        self._write()
        self._begin()
        self.start()

    def start(self) -> None:
        """It runs and answers."""
        enter = ["nsenter", f"--target={self._inside}", "--mount", "--pid", "--"]
        config = f"{self.directory}/etc/libvirtd.conf"
        with (self.directory / "output").open("ab") as output:
            self._daemon = spawn(
                [*enter, "libvirtd", "-f", config, "-p", f"{self.directory}/pid"], output=output
            )
        until_ready(self._daemon, self._answers, "libvirtd answers", seconds=30, log=self.log_tail)

    def _answers(self) -> bool:
        try:
            with self.connection.using() as connection:
                connection.getLibVersion()
        except Transient:
            return False
        return True

    def kill(self) -> None:
        """It is dead by SIGKILL; its VMs and their daemons run on."""
        self.inside(["sh", "-c", f"kill -9 $(cat {self.directory}/pid)"])
        self._daemon.wait(10)

    def inside(self, argv: Sequence[str]) -> None:
        """The command has succeeded where libvirtd runs."""
        subprocess.run([*self.enter, *argv], check=True)

    @property
    def enter(self) -> list[str]:
        """The words before a command that make it run where libvirtd runs."""
        return ["nsenter", f"--target={self._inside}", "--pid", "--mount", "--"]

    def _end(self) -> None:
        # The holder first: with it ends everything, and its parent is there to reap the daemon.
        for name in ("_holder", "_daemon"):
            if hasattr(self, name):
                stop(getattr(self, name), grace=0)
        shutil.rmtree(self.directory, ignore_errors=True)

    def log_tail(self, length: int = 3000) -> str:
        """The end of what it said."""
        paths = (self.directory / "output", self.directory / "libvirtd.log")
        return "\n".join(p.read_text(errors="replace")[-length:] for p in paths if p.exists())

    def _write(self) -> None:
        directory = self.directory
        for name in ("etc", "lib", "run", "log", "sock"):
            (directory / name).mkdir()
        (directory / "etc/qemu.conf").write_text(QEMU_CONF)
        (directory / "etc/libvirtd.conf").write_text(
            DAEMON_CONF.format(directory=directory, uuid=uuid.uuid4())
        )
        for file in ("passwd", "group"):
            lines = Path("/etc", file).read_text().splitlines()
            names = {line.split(":")[0] for line in lines}
            lines += [line for kind, name, line in ACCOUNTS if kind == file and name not in names]
            (directory / file).write_text("\n".join(lines) + "\n")

    def _begin(self) -> None:
        """The namespaces stand, held by a process whose end ends every other one in them."""
        # Asking QEMU what it can do takes seconds; the answer is kept from run to run.
        cache = cache_directory() / ("libvirt" if self._programs is None else "libvirt-newer")
        cache.mkdir(parents=True, exist_ok=True)
        places = {str(self.directory / name): point for name, point in PLACES.items()}
        places[str(cache)] = CACHE
        steps: list[str] = []
        if self._programs is not None:
            steps.append(f"mount -t overlay -o lowerdir={self._programs}:/usr overlay /usr")
            # All that is in these is loaded: the modules of this machine's programs, too.
            steps += [f"mount --bind {self._programs}/{m} /usr/{m}" for m in MODULES]
        for source, point in places.items():
            if Path(source).is_dir():
                Path(point).mkdir(parents=True, exist_ok=True)
            steps.append(f"mount --bind {source} {point}")
        ready = self.directory / "ready"
        script = " && ".join([*steps, f"echo ready > {ready}", "while :; do sleep 3600; done"])
        argv = ["unshare", "--mount", "--propagation", "slave", "--pid", "--fork", "--kill-child"]
        with (self.directory / "output").open("ab") as output:
            self._holder = spawn([*argv, "--mount-proc", "sh", "-c", script], output=output)
        about = "libvirtd has namespaces"
        until_ready(self._holder, ready.exists, about, seconds=10, log=self.log_tail)
        children = Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children")
        self._inside = children.read_text().split()[0]
