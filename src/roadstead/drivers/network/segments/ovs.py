"""Open vSwitch, by ovs-vsctl(8): for VLANs where the kernel has no 802.1q, and for physical
networks that are Open vSwitch bridges already.

A segment's bridge is joined to an access port by a pair of devices, so that every port of a share
server is on a Linux bridge, whatever carries the segment.
"""

import json
from pathlib import Path

from roadstead.drivers.host import netlink
from roadstead.drivers.host.exec import CommandFailed, run
from roadstead.model.errors import DriverError, Transient

_PATIENCE = 10  # seconds for vswitchd to do what the database says
_ALARM = -14  # how ovs-vsctl ends when that was too short
_SIGN = "roadstead"


class OpenVSwitch:
    """One Open vSwitch database. `datapath` is for bridges we make: system, netdev or auto."""

    def __init__(self, database: str, datapath: str, owner: str) -> None:
        self._database = database
        self._datapath = datapath
        self._owner = owner

    def why_not(self) -> str | None:
        """Why it cannot be used; None when it can."""
        path = self._database.removeprefix("unix:")
        if self._database.startswith("unix:") and not Path(path).exists():
            return f"no Open vSwitch database at {path}"
        try:
            self._ask("--no-wait", "get", "Open_vSwitch", ".", "_uuid")
        except (DriverError, Transient) as error:
            return f"Open vSwitch does not answer: {error}"
        return None

    def has_bridge(self, name: str) -> bool:
        """Whether there is a bridge of that name, no matter whose."""
        return name in self._ask("list-br").split()

    def is_userspace(self, bridge: str) -> bool:
        """Whether frames of the bridge are moved by a process and not by the kernel."""
        return self._ask("get", "Bridge", bridge, "datapath_type").strip().strip('"') == "netdev"

    def ensure_bridge(self, name: str, device: str) -> None:
        """A bridge of ours is there and has the device as its trunk."""
        sign = f"external_ids:{_SIGN}={self._owner}"
        kind = f"datapath_type={self._chosen_datapath()}"
        words = ["--may-exist", "add-br", name, "--", "set", "Bridge", name, kind, sign]
        self._do(*words, "--", "--may-exist", "add-port", name, device)

    def ensure_bridge_absent_if_idle(self, name: str) -> None:
        """If only the trunk is left on our bridge, neither of them is."""
        if self.has_bridge(name) and len(self._ask("list-ports", name).split()) <= 1:
            self._do("--if-exists", "del-br", name)

    def ensure_access_port(self, bridge: str, port: str, tag: int | None, mark: str) -> None:
        """The device is a port of the bridge for that VLAN, or for untagged frames only."""
        if (there := self.bridge_of(port)) not in (None, bridge):
            self._do("--if-exists", "del-port", str(there), port)
        # Without a tag it would be a trunk, and lead into every VLAN; 0 stands for untagged.
        values = [f"external_ids:{_SIGN}={json.dumps(mark)}", f"tag={tag or 0}"]
        self._do("--may-exist", "add-port", bridge, port, "--", "set", "Port", port, *values)

    def ensure_port_absent(self, port: str) -> None:
        """The device is a port of no bridge."""
        self._do("--if-exists", "del-port", port)

    def marks(self) -> list[str]:
        """The marks of all ports of ours, whether or not their device is there."""
        answer = self._ask("--format=json", "--columns=external_ids", "list", "Port")
        found: list[str] = []
        for ((_, pairs),) in json.loads(answer or '{"data": []}')["data"]:
            found += [value for key, value in pairs if key == _SIGN]
        return found

    def bridge_of(self, port: str) -> str | None:
        """The bridge that the device is a port of."""
        try:
            return self._ask("port-to-br", port).strip()
        except CommandFailed:
            return None

    def _chosen_datapath(self) -> str:
        if self._datapath != "auto":
            return self._datapath
        return "system" if Path("/sys/module/openvswitch").exists() else "netdev"

    def _do(self, *words: str) -> None:
        netlink.act(self._ask, *words)

    def _ask(self, *words: str) -> str:
        argv = ["ovs-vsctl", f"--db={self._database}", f"--timeout={_PATIENCE}", *words]
        try:
            return run(argv, timeout=_PATIENCE + 5)
        except CommandFailed as error:
            if error.status == _ALARM:
                raise Transient("Open vSwitch does not answer") from error
            raise
