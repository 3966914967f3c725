"""Access rules as networks, in the order in which a first-match server has to see them."""

import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from roadstead.model.ids import pseudo_path
from roadstead.model.world import ExportPath, ExportSpec, RuleOutcome, RuleSpec

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

LEVELS = ("rw", "ro")
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")


def admit(
    rules: Sequence[RuleSpec], *, refuse: Callable[[Network], str | None] = lambda _: None
) -> tuple[dict[str, str], list[RuleOutcome]]:
    """The clients in force, {canonical target: level}, the most specific first, and what became
    of each rule, in the order of `rules`.

    The clients depend on the set of rules only, never on their order. `refuse` says why a server
    cannot express a network; None when it can.
    """
    levels: dict[Network, str] = {}
    outcomes: list[RuleOutcome] = []
    for rule in rules:
        network, problem = _network(rule)
        if network is not None:
            problem = problem or refuse(network)
        if network is not None and problem is None:
            # The database has no network at two levels; if it had, ro would be the safe one.
            levels[network] = min(levels.get(network, rule.access_level), rule.access_level)
        outcomes.append(RuleOutcome(rule_id=rule.rule_id, problem=problem))
    return {str(network): levels[network] for network in by_specificity(levels)}, outcomes


def by_specificity(networks: Iterable[Network]) -> list[Network]:
    """The networks, longest prefix first; one and the same order for the same set."""
    return sorted(networks, key=lambda n: (-n.prefixlen, n.version, int(n.network_address)))


def level_for(address: str, clients: Mapping[str, str]) -> str | None:
    """The level the most specific client entry gives the address; None when no entry admits it."""
    ip = ipaddress.ip_address(address)
    admitting = [n for n in map(ipaddress.ip_network, clients) if ip in n]
    return clients[str(by_specificity(admitting)[0])] if admitting else None


def plain_address(text: str) -> str:
    """The address, an IPv4 one in IPv4's spelling even when a dual-stack socket saw it."""
    try:
        ip = ipaddress.ip_address(text)
    except ValueError:
        return text
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return str(mapped or ip)


def locations(spec: ExportSpec) -> list[ExportPath]:
    """Where clients mount the export: one location for each of the place's addresses, or of those
    that a gateway has for this share."""
    flow = spec.place.flows.get(spec.instance_id)
    addresses = spec.place.addresses if flow is None else flow.addresses
    hosts = (f"[{a}]" if ":" in a else a for a in addresses)
    return [ExportPath(path=f"{host}:{pseudo_path(spec.instance_id)}") for host in hosts]


def _network(rule: RuleSpec) -> tuple[Network | None, str | None]:
    if rule.access_type != "ip":
        return None, f"access type {rule.access_type!r} is not supported here, only 'ip'"
    if rule.access_level not in LEVELS:
        return None, f"access level {rule.access_level!r} is not supported here, only rw and ro"
    try:
        network = ipaddress.ip_network(rule.access_to, strict=False)
    except ValueError:
        return None, f"{rule.access_to!r} is not an IP address or network"
    if isinstance(network, ipaddress.IPv6Network):
        if network.network_address.scope_id is not None:
            return None, f"{rule.access_to!r} names an interface; only addresses can be admitted"
        if network.subnet_of(_MAPPED):
            # Such a client is seen with its IPv4 address, so the rule would never match.
            return None, f"{rule.access_to!r} is an IPv4 address; write it as one"
    return network, None
