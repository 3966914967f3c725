"""Everything a driver could leave behind on a host, as other programs see it."""

import contextlib
import subprocess
from typing import Any

from roadstead.drivers.network.segments.places import owner_of
from tests.lab.hosts import TwoHosts
from tests.lab.links import links
from tests.lab.netns import NETNS_DIRECTORY


class Traces:
    """On the first (0) or second (1) host."""

    def __init__(self, hosts: TwoHosts, number: int) -> None:
        self._netns = hosts.hosts[number].netns
        self._switches = hosts.switches[number : number + 1]

    def all(self) -> dict[str, Any]:
        """By kind; two of them are equal if and only if nothing came and nothing went."""
        nft = ["nsenter", f"--net=/run/netns/{self._netns}", "nft", "list", "ruleset"]
        return {
            "devices": {link["ifname"]: link.get("master") for link in links(self._netns)},
            "rules": subprocess.run(nft, check=True, capture_output=True, text=True).stdout,
            "places": {p.name for p in NETNS_DIRECTORY.glob("roadstead-*") if self._mine(p.name)},
            "switches": self._list("Bridge"),
            "ports": self._list("Port"),
        }

    def _list(self, table: str) -> list[str]:
        """Of the host's Open vSwitch, if it has one."""
        words = ("--no-wait", "--columns=name", "list", table)
        return [switch.vsctl(*words) for switch in self._switches]

    def _mine(self, netns: str) -> bool:
        """Whether the place is of this host's driver, which has the host's name."""
        # By a thread: a process would keep another test's place in use for a moment.
        mark = owner_of(netns)
        if mark is None:
            with contextlib.suppress(OSError):
                mark = (NETNS_DIRECTORY / netns).read_text()
        return self._netns in (mark or "")
