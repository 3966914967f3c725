"""What no driver can give, whatever the host: refused before anything is touched."""

import ipaddress
import re

from roadstead.model import networks as n
from roadstead.model import world as w
from roadstead.model.errors import Unsupported
from roadstead.model.ids import place_netns

# Six of them and a few words must fit into the 255 bytes of a device's alias.
_NAME = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]{0,47}")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_NUMBERS = {"vlan": range(1, 4095), "vxlan": range(1, 1 << 24)}  # IEEE 802.1Q, RFC 7348
SMALLEST_MTU = {4: 576, 6: 1280}  # RFC 791, RFC 8200


def check_name(what: str, name: str) -> None:
    """The name fits into marks, rules and paths; Unsupported otherwise."""
    if not _NAME.fullmatch(name):
        raise Unsupported(f"{what} {name!r}: up to 48 letters, digits, '_', '.' and '-'")


def check_segment(spec: n.SegmentSpec) -> None:
    """Unsupported when there is no such wire anywhere."""
    check_name("segment id", spec.id)
    if spec.kind not in n.KINDS:
        raise Unsupported(f"segment kind {spec.kind!r}: known are {', '.join(n.KINDS)}")
    if (spec.physical_network == "") != (spec.kind == "vxlan"):
        raise Unsupported("a physical network is named for flat and vlan, and for nothing else")
    if spec.physical_network:
        check_name("physical network", spec.physical_network)
    if spec.kind not in _NUMBERS:
        if spec.number is not None:
            raise Unsupported(f"a {spec.kind} segment has no number")
    elif spec.number not in _NUMBERS[spec.kind]:
        last = _NUMBERS[spec.kind].stop - 1
        raise Unsupported(f"{spec.kind} number {spec.number}: it is from 1 to {last}")


def check_mtu(asked: int | None, largest: int, what: str) -> int:
    """The MTU in force. Unsupported when more is asked for than there is, or too little."""
    if asked is not None and not SMALLEST_MTU[4] <= asked <= largest:
        raise Unsupported(f"MTU {asked} on {what}: it is from {SMALLEST_MTU[4]} to {largest}")
    return largest if asked is None else asked


def check_place(place: w.Place) -> str:
    """The name of the place's namespace. Unsupported when it is not derived from the id."""
    check_name("place id", place.id)
    name = place_netns(place.id)
    if place.netns != name:
        raise Unsupported(f"namespace {place.netns!r} is not that of place {place.id}")
    return name


def check_port(spec: n.PortSpec) -> None:
    """Unsupported when an address, the gateway or the MAC cannot be a host's."""
    check_name("port id", spec.id)
    check_name("segment id", spec.segment_id)
    check_place(spec.place)
    if spec.mac is not None and (not _MAC.fullmatch(spec.mac) or int(spec.mac[:2], 16) & 1):
        raise Unsupported(f"MAC {spec.mac!r} is not a unicast address in lower case")
    if not spec.addresses:
        raise Unsupported("a port needs an address")
    interfaces = [_interface(address) for address in spec.addresses]
    if spec.gateway is not None:
        _check_gateway(spec.gateway, interfaces)


def check_port_mtu(spec: n.PortSpec, largest: int) -> int:
    """The port's MTU on a segment of that MTU; Unsupported as for segments, and for IPv6."""
    mtu = check_mtu(spec.mtu, largest, f"port {spec.id}")
    if mtu < SMALLEST_MTU[6] and any(":" in address for address in spec.addresses):
        raise Unsupported(f"MTU {mtu} on port {spec.id}: IPv6 needs {SMALLEST_MTU[6]}")
    return mtu


def plain(addresses: tuple[str, ...], version: int) -> list[str]:
    """Those of that IP version, without prefix length, in their shortest spelling."""
    found = [ipaddress.ip_interface(address).ip for address in addresses]
    return [str(address) for address in found if address.version == version]


def normal(addresses: tuple[str, ...]) -> tuple[str, ...]:
    """In their shortest spelling, with prefix length, in the order given."""
    return tuple(ipaddress.ip_interface(address).with_prefixlen for address in addresses)


def _interface(text: str) -> ipaddress.IPv4Interface | ipaddress.IPv6Interface:
    try:
        found = ipaddress.ip_interface(text)
    except ValueError as error:
        raise Unsupported(f"address {text!r}: {error}") from error
    ip, network = found.ip, found.network
    edges = (network.network_address, network.broadcast_address)
    if "/" not in text or ip.is_multicast or ip.is_loopback or ip.is_unspecified:
        raise Unsupported(f"address {text!r} is not a host's address with its prefix length")
    if ip.is_link_local or (ip in edges and network.num_addresses > 2 and ip.version == 4):
        raise Unsupported(f"address {text!r} cannot be a host's")
    return found


def _check_gateway(
    gateway: str, interfaces: list[ipaddress.IPv4Interface | ipaddress.IPv6Interface]
) -> None:
    try:
        router = ipaddress.ip_address(gateway)
    except ValueError as error:
        raise Unsupported(f"gateway {gateway!r}: {error}") from error
    if not any(router in i.network and router != i.ip for i in interfaces):
        raise Unsupported(f"gateway {gateway} is not a neighbour in {interfaces[0].network}")
