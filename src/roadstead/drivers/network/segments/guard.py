"""Rules that keep a port to its own addresses, and a segment out of the host (nftables).

A port's rules hang in the bridge's prerouting hook, before the bridge learns from the frame. An
address is refused in every place a frame can claim it: as Ethernet source, as ARP sender, as IP
source, and as target of a neighbour advertisement (RFC 826, RFC 4861).

All of an owner's rules are in one table per family, reached by maps: with a table for each port,
every change would take longer the more ports there are.
"""

import hashlib
import ipaddress
import re

import msgspec

from roadstead.drivers.host import netlink
from roadstead.drivers.host.exec import CommandFailed, run
from roadstead.drivers.network.checks import plain
from roadstead.model.networks import link_local

# What is sent before there is an address to send from.
_UNBORN = ("nd-neighbor-solicit", "mld2-listener-report")
_FAMILIES = ("bridge", "netdev")
_TAGGED = ("8021q", "8021ad")
# Each transaction makes the frame anew, so that it never matters what is there.
_FRAME = """
add table bridge T
add map bridge T ports {{ type ifname : verdict; }}
add set bridge T uplinks {{ type ifname; }}
add set bridge T macs {{ type ifname . ether_addr; }}
add chain bridge T arrives {{ type filter hook prerouting priority -300; }}
add chain bridge T leaves {{ type filter hook postrouting priority 0; }}
flush chain bridge T arrives
flush chain bridge T leaves
{tagged}
add rule bridge T arrives iifname . ether saddr @macs drop
add rule bridge T arrives iifname vmap @ports
""".format(
    tagged="\n".join(
        f"add rule bridge T {chain} {way} @uplinks ether type {kind} drop"
        for chain, way in (("arrives", "iifname"), ("leaves", "oifname"))
        for kind in _TAGGED
    )
)


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What is in force; the marks are those given with it."""

    ports: dict[str, str] = {}  # mark of each guarded bridge port
    bridges: dict[str, str] = {}  # mark of each bridge that cannot reach the host
    uplinks: dict[str, str] = {}  # mark of each that takes no tagged frame
    macs: dict[tuple[str, str], str] = {}  # mark of each uplink and MAC that never comes from it


class Guard:
    """The rules of one owner. Every method acts in the calling thread's namespace."""

    def __init__(self, owner: str) -> None:
        self.table = "rs_" + hashlib.blake2s(owner.encode(), digest_size=5).hexdigest()

    def ensure_port(
        self,
        device: str,
        *,
        mac: str,
        addresses: tuple[str, ...],
        mark: str,
        uplink: str | None = None,
    ) -> None:
        """The bridge port sends only from this MAC and these addresses (with prefix length), and
        nobody sends from this MAC by the uplink."""
        lines = [
            f'add chain bridge T {device} {{ comment "{mark}"; }}',
            f"flush chain bridge T {device}",
            *(f"add rule bridge T {device} {rule}" for rule in _speaks(mac, addresses)),
            f'add element bridge T ports {{ "{device}" : jump {device} }}',
        ]
        if uplink is not None:
            lines.append(f'add element bridge T macs {{ "{uplink}" . {mac} comment "{mark}" }}')
        self._apply(_FRAME, *lines)

    def ensure_port_absent(self, device: str) -> None:
        """The port has no rules."""
        rules = self.read()
        if (mark := rules.ports.get(device)) is None:
            return
        macs = [f'"{u}" . {mac}' for (u, mac), own in rules.macs.items() if own == mark]
        self._apply(
            # A chain may have lost its way in.
            f'add element bridge T ports {{ "{device}" : jump {device} }}',
            f'delete element bridge T ports {{ "{device}" }}',
            *(f"delete element bridge T macs {{ {element} }}" for element in macs),
            f"flush chain bridge T {device}",
            f"delete chain bridge T {device}",
        )

    def ensure_segment(self, bridge: str, uplink: str, *, mark: str) -> None:
        """Nothing comes from the bridge up into the host's own stack, and no tagged frame passes
        the uplink, where it could lead into somebody's VLAN."""
        hook = f'type filter hook ingress device "{bridge}" priority 0; policy drop'
        self._apply(
            _FRAME,
            f'add element bridge T uplinks {{ "{uplink}" comment "{mark}" }}',
            "add table netdev T",
            f'add chain netdev T {bridge} {{ {hook}; comment "{mark}"; }}',
        )

    def ensure_segment_absent(self, bridge: str, *, mark: str) -> None:
        """The segment has no rules."""
        rules = self.read()
        own = {uplink for uplink, other in rules.uplinks.items() if other == mark}
        if not (rules.ports or rules.bridges.keys() - {bridge} or rules.uplinks.keys() - own):
            # The last one: at once, lest a kill leave empty tables that nobody looks for.
            self._apply(*(f"{verb} table {f} T" for f in _FAMILIES for verb in ("add", "delete")))
            return
        lines = [f'delete element bridge T uplinks {{ "{uplink}" }}' for uplink in sorted(own)]
        if bridge in rules.bridges:
            lines.append(f"delete chain netdev T {bridge}")
        if lines:
            self._apply(*lines)

    def read(self) -> Rules:
        """All that is in force, be it incomplete."""
        bridge, netdev = self._list("bridge"), self._list("netdev")
        chains = _chains(bridge)
        guarded = set(re.findall(r'"(\S+)" : jump', bridge))
        uplinks = re.search(r"set uplinks \{(.*?)\n\t\}", bridge, re.DOTALL)
        return Rules(
            ports={name: mark for name, mark in chains.items() if name in guarded},
            bridges=_chains(netdev),
            uplinks=dict(re.findall(r'"(\S+)" comment "(\S+)"', uplinks[1] if uplinks else "")),
            macs={
                (uplink, mac): mark
                for uplink, mac, mark in re.findall(r'"(\S+)" \. (\S+) comment "(\S+)"', bridge)
            },
        )

    def _list(self, family: str) -> str:
        try:
            # Not as JSON: this nft leaves comments out there.
            return run(["nft", "list", "table", family, self.table], timeout=30)
        except CommandFailed as error:
            # Nothing else may pass for "no rules": the last one's removal takes all tables away.
            if "No such file or directory" not in error.output:
                raise
            return ""

    def _apply(self, *lines: str) -> None:
        """One transaction."""
        text = re.sub(r"\b(bridge|netdev) T\b", rf"\1 {self.table}", "\n".join(lines) + "\n")
        netlink.act(run, ["nft", text], timeout=30)


def _chains(text: str) -> dict[str, str]:
    """The mark of every marked chain."""
    return dict(re.findall(r'^\tchain (\S+) \{\n\t\tcomment "(\S+)"', text, re.MULTILINE))


def _speaks(mac: str, addresses: tuple[str, ...]) -> list[str]:
    four, six = plain(addresses, 4), plain(addresses, 6)
    rules = [
        f"ether saddr != {mac} drop",
        f"ether type arp arp saddr ether != {mac} drop",
        *(f"ether type arp arp saddr ip {address} accept" for address in four),
        *(f"ether type ip ip saddr {address} accept" for address in four),
    ]
    if six:
        rules += _speaks_six([*six, link_local(mac)])
    return [*rules, "drop"]


def _speaks_six(own: list[str]) -> list[str]:
    # This nft has no word for a neighbour advertisement's target: 16 bytes behind the first 8.
    targets = [hex(int(ipaddress.IPv6Address(address))) for address in own]
    advertises = "icmpv6 type nd-neighbor-advert"
    return [
        *(
            f"ether type ip6 ip6 saddr {address} {advertises} @th,64,128 {target} accept"
            for address in own
            for target in targets
        ),
        *(
            f"ether type ip6 icmpv6 type {kind} drop"
            for kind in ("nd-neighbor-advert", "nd-router-advert", "nd-redirect")
        ),
        *(f"ether type ip6 ip6 saddr {address} accept" for address in own),
        *(f"ether type ip6 ip6 saddr :: icmpv6 type {kind} accept" for kind in _UNBORN),
    ]
