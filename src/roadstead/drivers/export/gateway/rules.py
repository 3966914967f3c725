"""A gateway's rules (nftables), as text.

One table holds what may pass; it is loaded as a whole, so it is the old one or the new one and
never something between. A second one is never replaced: bytes are counted there, and there the
ends of a connection that was cut are told.

A connection's mark is its share's number and its level. Whether its client still has that level
is asked for every packet, in both directions, so that a rule's end is the connection's end.
"""

from collections.abc import Iterable, Iterator, Sequence

from roadstead.drivers.export.gateway.files import StoredFlow
from roadstead.drivers.export.gateway.spans import disjoint
from roadstead.model.admission import LEVELS, Network

RULES, STATE = "roadstead_gateway", "roadstead_state"
UNTRACKED = 0x52534743  # of packets of our own that are no connection's
_FAMILY = {4: "ip", 6: "ip6"}
_TYPE = {4: "ipv4_addr", 6: "ipv6_addr"}
# Each load makes the chains anew and leaves the sets: the counts stay.
STATE_TEXT = f"""
add table inet {STATE}
add set inet {STATE} bytes_in {{ type mark; size 262144; flags dynamic; counter; }}
add set inet {STATE} bytes_out {{ type mark; size 262144; flags dynamic; counter; }}
add set inet {STATE} cut4 {{ type ipv4_addr . inet_service; flags timeout; }}
add set inet {STATE} cut6 {{ type ipv6_addr . inet_service; flags timeout; }}
add chain inet {STATE} passed {{ type filter hook forward priority 10; }}
add chain inet {STATE} sent {{ type filter hook output priority -300; }}
add chain inet {STATE} told {{ type filter hook input priority -10; }}
flush chain inet {STATE} passed
flush chain inet {STATE} sent
flush chain inet {STATE} told
add rule inet {STATE} passed ct mark != 0 ct direction original update @bytes_in {{ ct mark }}
add rule inet {STATE} passed ct mark != 0 ct direction reply update @bytes_out {{ ct mark }}
add rule inet {STATE} sent meta mark {UNTRACKED} notrack
add rule inet {STATE} told ip daddr . tcp dport @cut4 reject with tcp reset
add rule inet {STATE} told ip6 daddr . tcp dport @cut6 reject with tcp reset
"""


def mark_of(export_id: int, level: str) -> int:
    """The mark of the connections of a share's clients at that level."""
    return export_id << 2 | 1 + LEVELS.index(level)


def of_mark(mark: int) -> tuple[int, str]:
    """(export id, level); the level is "" when the mark is none of ours."""
    level = (mark & 3) - 1
    return mark >> 2, LEVELS[level] if 0 <= level < len(LEVELS) else ""


def set_name(export_id: int, level: str, version: int) -> str:
    """The set of the clients at that level."""
    return f"{level}{version}_{export_id}"


def source_of(flow: StoredFlow, level: str, version: int) -> str | None:
    """As whom the filer sees the clients at that level; None when it has no such address."""
    return next(iter(_of(flow.sources.get(level, ()), version)), None)


def needed(flow: StoredFlow) -> dict[str, str]:
    """Whom the filer has to admit: {address of ours: level}, for levels that have a client."""
    return {
        source: level
        for level in LEVELS
        for version in (4, 6)
        if (source := source_of(flow, level, version)) and level in disjoint(flow.clients, version)
    }


def clients_at(flow: StoredFlow, level: str, version: int) -> list[Network]:
    """Who passes at that level: nobody before the filer has agreed."""
    source = source_of(flow, level, version)
    if source is None or flow.granted.get(source) != level:
        return []
    return disjoint(flow.clients, version).get(level, [])


def text(
    flows: Iterable[StoredFlow], *, filer: dict[int, str], port: int, storage: Sequence[str]
) -> str:
    """The whole table. `filer`: its address by IP version; `storage`: the interfaces to it."""
    shares = [flow for flow in flows if not flow.leaving]
    legs = "{ " + ", ".join(f'"{name}"' for name in sorted(storage)) + " }"
    lines = [f"add table inet {RULES}", f"delete table inet {RULES}", f"table inet {RULES} {{"]
    for version in sorted(filer):
        lines += _maps(shares, version)
    for flow in shares:
        lines += _share(flow, filer, port)
    jumps = [f"{mark_of(f.export_id, v)} : jump level_{mark_of(f.export_id, v)}"
             for f in shares for v in LEVELS]  # fmt: skip
    lines += [f"map levels {{ type mark : verdict; {_elements(jumps)} }}"]
    lines += _chains(legs, sorted(filer), port)
    return "\n".join([*lines, "}"]) + "\n"


def _maps(shares: list[StoredFlow], version: int) -> Iterator[str]:
    """From an address on the tenant's segment to its share, and from a mark to the filer's
    client."""
    kind = _TYPE[version]
    doors = [f"{a} : jump share_{f.export_id}" for f in shares for a in _of(f.addresses, version)]
    yield f"map doors{version} {{ type {kind} : verdict; {_elements(doors)} }}"
    sources = [
        f"{mark_of(flow.export_id, level)} : {source}"
        for flow in shares
        for level in LEVELS
        if (source := source_of(flow, level, version))
    ]
    yield f"map sources{version} {{ type mark : {kind}; {_elements(sources)} }}"


def _share(flow: StoredFlow, filer: dict[int, str], port: int) -> Iterator[str]:
    number = flow.export_id
    enter: list[str] = []
    for level in LEVELS:
        mark, pass_ = mark_of(number, level), list[str]()
        for version, address in sorted(filer.items()):
            name, ip = set_name(number, level, version), _FAMILY[version]
            there = str(address) if version == 4 else f"[{address}]"
            clients = clients_at(flow, level, version)
            yield f"set {name} {{ type {_TYPE[version]}; flags interval; {_elements(clients)} }}"
            enter.append(f"{ip} saddr @{name} meta l4proto tcp ct mark set {mark} "
                         f"dnat {ip} to {there}:{port}")  # fmt: skip
            pass_ += [
                f"{ip} daddr {address} tcp dport {port} {ip} saddr @{name} accept",
                f"{ip} saddr {address} tcp sport {port} {ip} daddr @{name} accept",
            ]
        yield f"chain level_{mark} {{\n" + "\n".join(pass_) + "\n}"
    yield f"chain share_{number} {{\n" + "\n".join(enter) + "\n}"


def _chains(legs: str, versions: list[int], port: int) -> list[str]:
    doors = [f"iifname != {legs} tcp dport {port} {_FAMILY[v]} daddr vmap @doors{v}"
             for v in versions]  # fmt: skip
    leave = [f"oifname {legs} snat {_FAMILY[v]} to ct mark map @sources{v}" for v in versions]
    return [
        "chain prerouting { type nat hook prerouting priority dstnat; policy accept;",
        *doors,
        "}",
        "chain postrouting { type nat hook postrouting priority srcnat; policy accept;",
        *leave,
        "}",
        "chain forward { type filter hook forward priority filter; policy drop;",
        f"iifname != {legs} oifname {legs} ct status dnat ct mark vmap @levels",
        f"iifname {legs} oifname != {legs} ct direction reply ct status dnat ct mark vmap @levels",
        # Routers on the way to a client say by these how large a packet may be.
        f"iifname != {legs} ct state related icmp type destination-unreachable accept",
        f"iifname != {legs} ct state related icmpv6 type "
        "{ destination-unreachable, packet-too-big } accept",
        # What was admitted and is not any more. Both ends hear of it when they speak.
        "ct status dnat meta l4proto tcp reject with tcp reset",
        "}",
        "chain input { type filter hook input priority filter; policy drop;",
        'iifname "lo" accept',
        # Linux would answer for any address of its own on any of its interfaces.
        "fib daddr . iif type != { local, broadcast, multicast } drop",
        "meta l4proto { icmp, ipv6-icmp } accept",
        f"iifname {legs} ct state established,related accept",
        # A standby gateway's keepalived and conntrackd: on the storage network only.
        f"iifname {legs} meta l4proto vrrp accept",
        f"iifname {legs} udp dport 3780 accept",
        f"iifname {legs} drop",
        "meta l4proto tcp reject with tcp reset",
        "}",
    ]


def _of(addresses: Iterable[str], version: int) -> list[str]:
    return [address for address in addresses if (":" in address) == (version == 6)]


def _elements(elements: Sequence[object]) -> str:
    return f"elements = {{ {', '.join(map(str, elements))} }}" if elements else ""
