"""The kernel's NFS client inside a guest."""

import shlex
import time
from dataclasses import dataclass

from tests.lab.guest import Guest, Result


@dataclass(frozen=True)
class MountResult:
    """How a mount ended, and how long it took on the host's clock."""

    rc: int
    output: str
    seconds: float

    @property
    def ok(self) -> bool:
        return self.rc == 0


@dataclass(frozen=True)
class Space:
    """What df says, in bytes."""

    size: int
    used: int
    free: int


class NfsClient:
    """Mounts and uses shares in one guest."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest

    def mount(
        self,
        server: str,
        path: str,
        at: str = "/mnt/share",
        version: str = "4.2",
        options: str = "",
        timeout: float = 30,
    ) -> MountResult:
        """The share is mounted, or the result says why not; a hung mount is killed in time.

        version is 4.0, 4.1 or 4.2: the server has no port mapper for anything older.
        """
        six = ":" in server
        nic = self.guest.nics[0]
        host = f"[{server}]" if six else server
        # There is no mount.nfs in the guest, so what it would find out is said here.
        words = [f"vers={version}", f"addr={server}", f"proto={'tcp6' if six else 'tcp'}"]
        words += [f"clientaddr={nic.address6 if six else nic.address}"]
        words += [options] if options else []
        command = shlex.join(["mount", "-t", "nfs4", "-o", ",".join(words), f"{host}:{path}", at])
        script = f"modprobe nfsv4; mkdir -p {shlex.quote(at)}; timeout {int(timeout)} {command}"
        began = time.monotonic()
        result = self.guest.sh(script, timeout=timeout + 15, check=False)
        return MountResult(result.rc, result.output.strip(), time.monotonic() - began)

    def umount(self, at: str = "/mnt/share", timeout: float = 30) -> None:
        """The share is not mounted there any more."""
        self.guest.sh(f"umount {shlex.quote(at)}", timeout)

    def write(self, path: str, text: str, timeout: float = 30) -> Result:
        """The text is in the file on the server, or the result says why not."""
        # conv=fsync: only the server's word that it has the data counts.
        to = shlex.quote(f"of={path}")
        script = f"printf %s {shlex.quote(text)} | dd {to} conv=fsync 2>&1"
        return self.guest.sh(script, timeout, check=False)

    def read(self, path: str, timeout: float = 30) -> Result:
        """The file's content as output, or why not."""
        return self.guest.sh(f"cat {shlex.quote(path)}", timeout, check=False)

    def df(self, at: str = "/mnt/share", timeout: float = 30) -> Space:
        """The space of the mounted share."""
        script = f"df -P -k {shlex.quote(at)} | tail -n 1"
        words = self.guest.sh(script, timeout).output.split()
        size, used, free = (int(word) * 1024 for word in words[1:4])
        return Space(size, used, free)
