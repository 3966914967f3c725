"""A legacy filer: an NFS-Ganesha of an administrator's own, which knows storage addresses only.

    with LegacyFiler("rs-ab12-filer", ["172.30.0.2"], admin=["172.30.0.1"]) as filer:
        settings = {"backends": {"local": {"pool": "filer", **filer.backend(), ...}}}
        filer.restart()

The namespace exists already and has the addresses; the caller makes and removes both. The filer
serves its directory `tree` as `/admin` to the `admin` addresses, and whatever files lie in
`rules`, a directory its configuration includes: there a GaneshaFiler works, over the filer's own
message bus `bus`. Everything is gone after exit, the bytes too.

`backend()` are keys for a backend's configuration: the agent sees the tree as a local directory;
`backend(mount="172.30.0.2:/admin", tree="/tmp/…")` lets it mount the administrator's export
instead. `path` is what the filer calls its tree.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roadstead.drivers.ganesha.bus import BUS_CONFIG, GaneshaBus
from tests.lab.process import spawn, stop
from tests.lab.requirements import LabError, require
from tests.temporary import Temporary

if TYPE_CHECKING:
    from collections.abc import Sequence

PREFIX = "legacy"
ADMIN = "/admin"
START_SECONDS = 20.0

CONFIG = """\
NFS_CORE_PARAM {{
  Protocols = {versions}; {bind} MNT_Port = 20048; mount_path_pseudo = true;
  Enable_UDP = false; Enable_NLM = false; Enable_RQUOTA = false;
  Plugins_Dir = /usr/lib/x86_64-linux-gnu/ganesha;
  {dbus}
}}
NFSv4 {{
  Graceless = {graceless}; Lease_Lifetime = {lease}; Grace_Period = {lease};
  RecoveryBackend = fs; RecoveryRoot = "{root}/recovery";
  Minor_Versions = 0, 1, 2; Only_Numeric_Owners = true;
}}
NFS_KRB5 {{ Active_krb5 = false; }}
EXPORT_DEFAULTS {{ Access_Type = None; SecType = sys; Protocols = {versions}; Transports = TCP; }}
EXPORT {{
  Export_Id = 1; Path = "{tree}"; Pseudo = {admin}; Squash = No_Root_Squash;
  FSAL {{ Name = VFS; }}
{clients}}}
%include "{rules}/roadstead.conf"
"""


class LegacyFiler(Temporary):
    """Runs between enter and exit. `filesystem` (xfs, btrfs, ext4) puts the tree on a filesystem
    of its own, of `gib`; else it is a plain directory. `nfs3` needs an rpcbind in the namespace.
    With `grace`, clients get their files back after a restart, as of any real filer."""

    def __init__(
        self,
        netns: str,
        addresses: Sequence[str],
        *,
        admin: Sequence[str] = (),
        filesystem: str = "",
        gib: int = 16,
        grace: bool = True,
        lease_seconds: int = 5,
        nfs3: bool = False,
        prefix: str = PREFIX,
    ) -> None:
        require("ganesha.nfsd", "dbus-daemon", "nsenter", "setpriv", root=True)
        self.netns = netns
        self.prefix = prefix
        self.addresses = tuple(addresses)
        self._admin = tuple(admin)
        self._filesystem, self._gib = filesystem, gib
        self._grace, self._lease = grace, lease_seconds
        self._versions = "3, 4" if nfs3 else "4"
        # Short, because a socket's path has 107 bytes at most.
        self.root = Path(tempfile.mkdtemp(prefix="rs-filer-", dir="/tmp"))
        self.root.chmod(0o755)
        self.tree = self.root / "tree"
        self.rules = self.root / "rules"
        self.bus = self.root / "bus.sock"
        self.log = self.root / "ganesha.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def path(self) -> str:
        """What the filer itself calls the tree."""
        return str(self.tree)

    @property
    def mount(self) -> str:
        """The administrator's export, for a client whose address is one of `admin`."""
        host = self.addresses[0]
        return f"[{host}]:{ADMIN}" if ":" in host else f"{host}:{ADMIN}"

    @property
    def control_options(self) -> dict[str, Any]:
        """For the filer control `ganesha`."""
        return {
            "config_directory": str(self.rules),
            "bus": str(self.bus),
            "dbus_prefix": self.prefix,
        }

    def backend(self, *, mount: str = "", tree: str = "") -> dict[str, Any]:
        """Keys of a backend's configuration."""
        filer = {
            "addresses": list(self.addresses),
            "control": "ganesha",
            "control_options": self.control_options,
            "tree": tree or str(self.tree),
            "mount": mount,
            "path": self.path,
        }
        local = not mount and not self._filesystem
        return {"filer": filer, "pool_options": {"allow_local": True} if local else {}}

    def _make(self, undo: contextlib.ExitStack) -> None:
        undo.callback(shutil.rmtree, self.root)
        for directory in (self.tree, self.rules, self.root / "recovery"):
            directory.mkdir()
        (self.rules / "roadstead.conf").touch()
        if self._filesystem:
            self._make_filesystem()
            undo.callback(_run, "umount", str(self.tree))
        self._write_configuration()
        undo.enter_context(self._bus_daemon())
        undo.callback(self.stop)
        self.start()

    # --- life ---------------------------------------------------------------------------------

    def start(self) -> None:
        """It serves what its configuration says now; LabError with its log when it does not."""
        argv = ["ganesha.nfsd", "-F", "-N", "NIV_EVENT", "-f", f"{self.root}/ganesha.conf"]
        argv += ["-L", str(self.log), "-p", f"{self.root}/ganesha.pid"]
        env = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={self.bus}"}
        process = self._process = spawn(argv, netns=self.netns, env=env)
        with contextlib.closing(GaneshaBus(self.bus, self.prefix)) as bus:
            if not bus.wait(lambda: process.poll() is None, timeout=START_SECONDS):
                log = self.log.read_text(errors="replace")[-3000:] if self.log.exists() else ""
                raise LabError(f"the filer did not start: {log}")

    def stop(self) -> None:
        """Shut down as an administrator would."""
        if self._process is not None:
            stop(self._process, 10)
            self._process = None

    def kill(self) -> None:
        """Died at once."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """Shut down and started again."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Hangs: takes requests and answers none, until `go_on`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Answers again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    @property
    def runs(self) -> bool:
        """Whether it was not stopped or killed."""
        return self._process is not None

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None, "the filer does not run"
        return self._process.pid

    def export(
        self, number: int, name: str, *clients: str, path: str = "", ro: Sequence[str] = ()
    ) -> None:
        """The administrator exports the tree, or another directory, by this name; until the next
        restart."""
        file = self.root / f"export-{number}.conf"
        file.write_text(_block(number, path or str(self.tree), name, clients, ro))
        with contextlib.closing(GaneshaBus(self.bus, self.prefix)) as bus:
            bus.add_export(file, number)

    def unexport(self, name: str) -> None:
        """By hand: what clients mount by this name is not served; until the next restart."""
        with contextlib.closing(GaneshaBus(self.bus, self.prefix)) as bus:
            (number,) = (n for n, path in bus.show_exports().items() if path == name)
            bus.remove_export(number)

    def readmit(self, name: str, *clients: str) -> None:
        """By hand: what clients mount by this name admits exactly these; until the next restart."""
        from roadstead.drivers.ganesha.live import live_exports

        with contextlib.closing(GaneshaBus(self.bus, self.prefix)) as bus:
            (found,) = (e for e in live_exports(bus).values() if e.pseudo == name)
            file = self.root / "by-hand.conf"
            file.write_text(_block(found.export_id, found.path, name, clients))
            bus.update_export(file, found.export_id)

    def exports(self) -> dict[int, str]:
        """{number: path clients mount} of all that it really serves."""
        with contextlib.closing(GaneshaBus(self.bus, self.prefix)) as bus:
            return bus.show_exports()

    def clients(self) -> dict[str, dict[str, str]]:
        """{path clients mount: {address: level}} of all that it really serves."""
        from roadstead.drivers.ganesha.live import live_exports

        with contextlib.closing(GaneshaBus(self.bus, self.prefix)) as bus:
            found = live_exports(bus).values()
        return {e.pseudo: {n.partition("/")[0]: level for n, level in e.clients} for e in found}

    # --- inside -------------------------------------------------------------------------------

    def _write_configuration(self) -> None:
        clients = f"  CLIENT {{ Clients = {', '.join(self._admin)}; Access_Type = RW; }}\n"
        text = CONFIG.format(
            versions=self._versions,
            bind="Bind_addr = 0::0;" if any(":" in a for a in self.addresses) else "",
            dbus=f"Dbus_Name_Prefix = {self.prefix};" if self.prefix else "",
            graceless=str(not self._grace).lower(),
            lease=self._lease,
            root=self.root,
            tree=self.tree,
            admin=ADMIN,
            clients=clients if self._admin else "",
            rules=self.rules,
        )
        (self.root / "ganesha.conf").write_text(text)

    def _make_filesystem(self) -> None:
        image = self.root / "disk.img"
        with image.open("wb") as file:
            file.truncate(self._gib << 30)
        _run(f"mkfs.{self._filesystem}", "-q", str(image))
        _run("mount", "-o", "loop", str(image), str(self.tree))

    @contextlib.contextmanager
    def _bus_daemon(self) -> Any:
        conf = self.root / "bus.conf"
        conf.write_text(BUS_CONFIG.format(socket=self.bus))
        argv = ["dbus-daemon", f"--config-file={conf}", "--print-address=1"]
        reading, writing = os.pipe()
        with open(writing, "wb") as output, open(reading, "rb") as said:
            daemon = spawn([*argv, "--nofork", "--nopidfile", "--nosyslog"], output=output)
            output.close()
            try:
                # It prints its address once it listens.
                if not said.readline():
                    raise LabError("the filer's message bus did not start")
                yield
            finally:
                stop(daemon)


def _block(
    number: int, path: str, name: str, clients: Sequence[str], ro: Sequence[str] = ()
) -> str:
    admitted = "".join(
        f"CLIENT {{ Clients = {', '.join(who)}; Access_Type = {level}; }} "
        for level, who in (("RW", clients), ("RO", ro))
        if who
    )
    return (
        f'EXPORT {{ Export_Id = {number}; Path = "{path}"; Pseudo = "{name}"; '
        f"Squash = No_Root_Squash; FSAL {{ Name = VFS; }} {admitted} }}"
    )


def _run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"{' '.join(argv)}: {done.stdout}{done.stderr}")
