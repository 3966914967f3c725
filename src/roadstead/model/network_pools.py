"""Segments that the administrator lets projects have, and how a subnet of one is written."""

import ipaddress
import itertools
import re
from collections.abc import Mapping

import msgspec

from roadstead.model.errors import BadRequest, ConfigError


class Addressing(msgspec.Struct, frozen=True, kw_only=True):
    """What a subnet's addresses are."""

    cidr: str
    ip_version: int
    gateway: str | None = None
    first_address: str | None = None
    last_address: str | None = None


class NetworkPool(msgspec.Struct, frozen=True, kw_only=True):
    """Segments that the administrator lets projects have: `[networks.<name>]`."""

    name: str
    kind: str  # flat | vlan | vxlan
    physical_network: str = ""
    first: int | None = None  # numbers from which each project gets its own; None: flat
    last: int | None = None
    mtu: int | None = None
    projects: tuple[str, ...] = ()  # who may use it; () = everybody
    subnets: tuple[Addressing, ...] = ()  # the only ones there are; () = as each project says

    def admits(self, project_id: str) -> bool:
        """True when the project may use it."""
        return not self.projects or project_id in self.projects

    def addressing(self, text: str) -> Addressing:
        """What `text` says of a subnet's addresses, or, by its CIDR alone, what the administrator
        has said. BadRequest otherwise."""
        if not self.subnets:
            return parse_addressing(text)
        for subnet in self.subnets:
            if subnet.cidr == text.strip():
                return subnet
        known = ", ".join(subnet.cidr for subnet in self.subnets)
        raise BadRequest(f"network {self.name} has no subnet {text[:80]!r}; it has {known}")


def parse_addressing(text: str) -> Addressing:
    """`CIDR[,gateway][,first-last]` as it may be given for a subnet's id: 10.0.0.0/24,
    10.0.0.0/24,10.0.0.1 or 10.0.0.0/24,10.0.0.1,10.0.0.200-10.0.0.220. BadRequest otherwise."""
    cidr, *more = (part.strip() for part in text.split(","))
    try:
        network = _network(cidr)
        gateway = _gateway(more.pop(0), network) if more and "-" not in more[0] else None
        first = last = None
        if more:
            low, _, high = more.pop(0).partition("-")
            first, last = _address(low, network), _address(high, network)
            if int(ipaddress.ip_address(first)) > int(ipaddress.ip_address(last)):
                raise ValueError(f"{first} is behind {last}")
        if more:
            raise ValueError("too many parts")
    except ValueError as error:
        raise BadRequest(
            f"{text[:80]!r} names no subnet; expected CIDR[,gateway][,first-last]: {error}"
        ) from error
    return Addressing(
        cidr=str(network),
        ip_version=network.version,
        gateway=gateway,
        first_address=first,
        last_address=last,
    )


# What no subnet of hosts can be, by the shortest prefix and by meaning.
_SHORTEST = {4: 8, 6: 32}


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    network = ipaddress.ip_network(text)
    if "/" not in text or "%" in text or network.num_addresses < 2:
        raise ValueError("a subnet has more than one address")
    if network.prefixlen < _SHORTEST[network.version]:
        raise ValueError(f"a subnet has at least /{_SHORTEST[network.version]}")
    if network.is_loopback or network.is_multicast or network.is_link_local:
        raise ValueError("these are no addresses of hosts on a network")
    here = network.network_address
    if here.is_unspecified or (network.version == 4 and network.is_reserved):
        raise ValueError("these are no addresses of hosts on a network")
    return network


def _address(text: str, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> str:
    address = ipaddress.ip_address(text.strip())
    if address not in network:
        raise ValueError(f"{address} is not in {network}")
    return str(address)


def _gateway(text: str, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> str:
    address = _address(text, network)
    ends = (str(network.network_address), str(network.broadcast_address))
    if network.version == 4 and network.num_addresses > 2 and address in ends:
        raise ValueError(f"{address} is no host of {network}")
    return address


def parse_numbers(text: str) -> tuple[int, int]:
    """(first, last) of `100-199` or `100`. ValueError otherwise."""
    low, dash, high = text.partition("-")
    first, last = int(low), int(high if dash else low)
    if first > last:
        raise ValueError(f"{first} is above {last}")
    return first, last


# The largest of each kind: 802.1Q keeps 0 and 4095, a VNI has 24 bits (RFC 7348 §5).
_LARGEST = {"vlan": 4094, "vxlan": 2**24 - 1}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def check_pools(pools: Mapping[str, NetworkPool]) -> None:
    """ConfigError when one cannot be, or two would give out the same wire."""
    for name, pool in pools.items():
        key = f"networks.{name}"
        if not _NAME.fullmatch(name):
            raise ConfigError(f"{key}: a name has letters, digits, '-', '_' and '.'")
        if pool.physical_network and not _NAME.fullmatch(pool.physical_network):
            raise ConfigError(f"{key}.physical_network: letters, digits, '-', '_' and '.' only")
        if (pool.kind == "vxlan") == bool(pool.physical_network):
            raise ConfigError(f"{key}.physical_network: for vlan and flat, and only for them")
        if (pool.kind == "flat") == (pool.first is not None):
            raise ConfigError(f"{key}.ids: for vlan and vxlan, and only for them")
        if pool.kind == "flat" and not pool.subnets:
            # Whoever chose the addresses there could take those of another project's machines.
            raise ConfigError(f"{key}.subnets: needed for flat, which projects share")
        if pool.first is not None and pool.last is not None:
            if pool.first < 1 or pool.last > _LARGEST[pool.kind]:
                raise ConfigError(f"{key}.ids: from 1 to {_LARGEST[pool.kind]}")
    for one, other in itertools.combinations(pools.values(), 2):
        if (one.kind, one.physical_network) == (other.kind, other.physical_network):
            apart = (one.last or 0) < (other.first or 0) or (other.last or 0) < (one.first or 0)
            if not apart:
                raise ConfigError(f"networks.{other.name}: the same segments as {one.name}")
