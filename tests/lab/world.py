"""A real server on a segment, for the lab's own tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.lab import nfs4
from tests.lab.process import until_ready
from tests.lab.requirements import require

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab.segment import ClientNs, Segment

GUEST, FRIEND, STRANGER = 10, 20, 30

CONFIG = """
NFS_CORE_PARAM {{
  Protocols = 4; Bind_addr = 0::0; MNT_Port = 20048; mount_path_pseudo = true;
  Enable_UDP = false; Enable_NLM = false; Enable_RQUOTA = false;
  Plugins_Dir = /usr/lib/x86_64-linux-gnu/ganesha;
}}
NFSv4 {{
  Graceless = true; RecoveryBackend = fs; RecoveryRoot = "{directory}/recovery";
  Minor_Versions = 0,1,2; Only_Numeric_Owners = true;
}}
NFS_KRB5 {{ Active_krb5 = false; }}
EXPORT_DEFAULTS {{ Access_Type = None; SecType = sys; Protocols = 4; Transports = TCP; }}
EXPORT {{
  Export_Id = 7; Path = {directory}/open; Pseudo = /open; Squash = No_Root_Squash;
  FSAL {{ Name = VFS; }}
  CLIENT {{ Clients = {clients}; Access_Type = RW; }}
}}
EXPORT {{
  Export_Id = 8; Path = {directory}/closed; Pseudo = /closed; Squash = No_Root_Squash;
  FSAL {{ Name = VFS; }}
  CLIENT {{ Clients = {other}; Access_Type = RW; }}
}}
"""


@dataclass(frozen=True)
class World:
    """A segment with a server on it that lets in the guest and one friend."""

    segment: Segment
    data: Path
    friend: ClientNs
    stranger: ClientNs

    def raw(self, client: ClientNs) -> nfs4.Client:
        return nfs4.Client(self.segment.server, netns=client.netns)


def make_world(segment: Segment, directory: Path) -> World:
    """A Ganesha serves both exports on the segment, until the segment goes."""
    require("ganesha.nfsd", root=True)
    for name in ("recovery", "open", "closed"):
        (directory / name).mkdir()
    (directory / "open/hello").write_text("hello\n")
    (directory / "closed/secret").write_text("secret\n")
    hosts = (GUEST, FRIEND)
    clients = [segment.address(n) for n in hosts] + [segment.address6(n) for n in hosts]
    other = segment.address(STRANGER)
    config = CONFIG.format(directory=directory, clients=", ".join(clients), other=other)
    (directory / "ganesha.conf").write_text(config)
    argv = ["ganesha.nfsd", "-F", "-N", "NIV_EVENT", "-f", f"{directory}/ganesha.conf"]
    argv += ["-L", f"{directory}/ganesha.log", "-p", f"{directory}/ganesha.pid"]
    # There is no bus: an instance that found the machine's would fight over its name.
    process = segment.popen(argv, env={"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={directory}/no-bus"})
    made = World(
        segment, directory / "open", segment.client_ns(FRIEND), segment.client_ns(STRANGER)
    )
    log = (directory / "ganesha.log").read_text
    until_ready(process, lambda: _serves(made), "the lab's NFS server answers", seconds=15, log=log)
    return made


def _serves(made: World) -> bool:
    try:
        made.raw(made.friend).close()
    except OSError:
        return False
    return True
