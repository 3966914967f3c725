"""What passes between the recipes and the network drivers: tenants' segments, the ports on them,
and what a host can do about both."""

import hashlib
import ipaddress

import msgspec

from roadstead.model import world as w

KINDS = ("flat", "vlan", "vxlan")
# What an outer Ethernet, IP, UDP and VXLAN header take from the underlay's MTU (RFC 7348 §4.3).
VXLAN_OVERHEAD = {4: 50, 6: 70}


class SegmentSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A layer-2 network wanted on this host.

    One wire has one id on a host: subnets that name the same wire must give the same id.
    """

    id: str
    kind: str  # of KINDS
    number: int | None = None  # VLAN id or VNI; None for flat
    physical_network: str = ""  # "" for vxlan
    mtu: int | None = None  # None = as large as the underlay allows

    @property
    def wire(self) -> str:
        """The same for two specs if and only if their frames meet: `vxlan-1001`,
        `vlan-physnet1-101`, `flat-physnet1`. Fit to be the segment's id."""
        parts = (self.kind, self.physical_network, "" if self.number is None else str(self.number))
        return "-".join(part for part in parts if part)


class SegmentRef(msgspec.Struct, frozen=True, kw_only=True):
    id: str


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """A segment as it is on this host."""

    id: str
    device: str  # the bridge; VMs of this host may be put on it, too
    uplink: str  # the bridge's port towards the wire
    mtu: int  # for everything on the segment


class PortSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One leg of a share server on a segment."""

    id: str
    segment_id: str
    place: w.Place
    addresses: tuple[str, ...]  # with prefix length: 10.0.0.5/24
    # It may speak as these, too; somebody else (keepalived) puts them on it and takes them off.
    guests: tuple[str, ...] = ()
    gateway: str | None = None  # the only way out of the subnet; None = none
    mac: str | None = None  # None = derived from the id
    mtu: int | None = None  # None = the segment's; never more


class PortRef(msgspec.Struct, frozen=True, kw_only=True):
    id: str


class Port(msgspec.Struct, frozen=True, kw_only=True):
    """A port as it is in the world."""

    id: str
    segment_id: str
    place_id: str
    device: str  # on the host
    interface: str  # in the share server's namespace
    mac: str
    addresses: tuple[str, ...]
    mtu: int


class NetworkInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a network driver can do on this host, now."""

    kind: str
    segment_kinds: tuple[str, ...]  # of KINDS
    physical_networks: tuple[str, ...] = ()
    allocates: bool = False  # gives ports their addresses itself (neutron); else the caller must
    vlan_means: str | None = None  # "kernel" | "ovs" | None
    vxlan_mtu: int | None = None  # the largest a vxlan segment can have
    missing: tuple[str, ...] = ()  # why a kind cannot be had
    warnings: tuple[str, ...] = ()  # what on this host weakens the tenants' isolation


def port_mac(port_id: str) -> str:
    """A unicast, locally administered MAC address, the same for the same port."""
    digest = hashlib.blake2s(f"mac/{port_id}".encode(), digest_size=5).digest()
    return ":".join(f"{byte:02x}" for byte in (0x02, *digest))


def link_local(mac: str) -> str:
    """The IPv6 link-local address an interface of that MAC has (RFC 4291, appendix A)."""
    raw = bytes.fromhex(mac.replace(":", ""))
    identifier = bytes((raw[0] ^ 2, *raw[1:3], 0xFF, 0xFE, *raw[3:]))
    return str(ipaddress.IPv6Address(b"\xfe\x80" + bytes(6) + identifier))
