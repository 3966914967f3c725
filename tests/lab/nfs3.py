"""An NFSv3 server on a segment, for the FUSE client: libnfs cannot write by NFSv4."""

import os
import signal
from collections.abc import Sequence
from pathlib import Path

from tests.lab.process import until_ready
from tests.lab.requirements import require
from tests.lab.segment import Segment

CONFIG = """
NFS_CORE_PARAM {{
  Protocols = 3, 4; Bind_addr = 0::0; MNT_Port = 20048; mount_path_pseudo = true;
  Enable_UDP = false; Enable_NLM = false; Enable_RQUOTA = false;
  Plugins_Dir = /usr/lib/x86_64-linux-gnu/ganesha;
}}
NFSv4 {{
  Graceless = true; RecoveryBackend = fs; RecoveryRoot = "{directory}/recovery";
  Only_Numeric_Owners = true;
}}
NFS_KRB5 {{ Active_krb5 = false; }}
EXPORT_DEFAULTS {{ Access_Type = None; SecType = sys; Protocols = 3, 4; Transports = TCP; }}
EXPORT {{
  Export_Id = 7; Path = {path}; Pseudo = /share; Squash = No_Root_Squash;
  FSAL {{ Name = VFS; }}
{clients}
}}
"""
# What the client has to be told, as it asks no rpcbind.
URL_OPTIONS = "version=3&uid=0&gid=0&mountport=20048&nfsport=2049"
# A private /run, as rpcbind has its socket at a fixed path there.
RPCBIND = """
mount -t tmpfs tmpfs /run && mkdir /run/rpcbind || exit 1
rpcbind -f &
until [ -S /run/rpcbind.sock ]; do sleep 0.01; done
exec "$@"
"""


class Nfs3Server:
    """Serves one directory as /share until the segment goes."""

    def __init__(self, segment: Segment, directory: Path, path: Path) -> None:
        require("ganesha.nfsd", "rpcbind", "unshare", root=True)
        self._segment, self._directory, self._path = segment, directory, path
        (directory / "recovery").mkdir(parents=True)
        self._config = directory / "ganesha.conf"

    def start(self, clients: Sequence[str]) -> None:
        """It answers, and admits these addresses."""
        self._write(clients)
        directory = self._directory
        ganesha = ["ganesha.nfsd", "-F", "-N", "NIV_EVENT", "-f", str(self._config)]
        ganesha += ["-L", f"{directory}/ganesha.log", "-p", f"{directory}/ganesha.pid"]
        argv = ["unshare", "--mount", "--propagation", "slave", "sh", "-c", RPCBIND, "sh", *ganesha]
        # There is no bus: an instance that found the machine's would fight over its name.
        bus = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={directory}/no-bus"}
        with (directory / "output").open("wb") as output:
            self._process = self._segment.popen(argv, env=bus, output=output)
        self._wait("NFS SERVER INITIALIZED", 1)

    def admit(self, clients: Sequence[str]) -> None:
        """Only these addresses are admitted from now on."""
        told = "Reread exports complete"
        number = self._log().count(told) + 1
        self._write(clients)
        self._process.send_signal(signal.SIGHUP)
        self._wait(told, number)

    def _write(self, clients: Sequence[str]) -> None:
        blocks = "\n".join(f"  CLIENT {{ Clients = {c}; Access_Type = RW; }}" for c in clients)
        text = CONFIG.format(directory=self._directory, path=self._path, clients=blocks)
        self._config.write_text(text)

    def _log(self) -> str:
        path = self._directory / "ganesha.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def _said(self) -> str:
        return (self._directory / "output").read_text(errors="replace") + self._log()

    def _wait(self, text: str, number: int) -> None:
        until_ready(
            self._process, lambda: self._log().count(text) >= number, f"NFSv3 server: {text}",
            seconds=20, log=self._said,
        )  # fmt: skip
