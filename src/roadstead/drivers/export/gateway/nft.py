"""A gateway's rules in its namespace's kernel. Every function but `inside` acts in the calling
thread's namespace."""

import hashlib
import ipaddress
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import msgspec

from roadstead.drivers.export.gateway.files import FlowFiles
from roadstead.drivers.export.gateway.rules import RULES, STATE, STATE_TEXT
from roadstead.drivers.host import netlink
from roadstead.drivers.host.exec import CommandFailed, run
from roadstead.model.admission import Network
from roadstead.model.errors import NotFound, Transient

T = TypeVar("T")
Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_FORWARDING = ("ipv4/ip_forward", "ipv6/conf/all/forwarding")
_SETTINGS = {
    # A standby gateway takes over connections that it did not see begin.
    "netfilter/nf_conntrack_tcp_loose": "1",
    "netfilter/nf_conntrack_acct": "1",
    # A mounted client renews its lease every minute or so: after an hour without it is gone.
    "netfilter/nf_conntrack_tcp_timeout_established": "3600",
}
# The kernel resets them when ip_forward changes.
_AFTER = {"ipv4/conf/all/accept_redirects": "0", "ipv4/conf/default/accept_redirects": "0"}


class Gone(Transient):
    """The gateway's namespace, or its leg on the storage network, is not there."""


def inside(netns: str | None, call: Callable[[], T]) -> T:
    """What the call returned in the gateway's namespace; Gone when there is none."""
    if netns is None:
        raise Gone("a gateway has a network namespace of its own")
    try:
        return netlink.within(netns, lambda _: call())
    except NotFound as error:
        raise Gone(f"the gateway's namespace {netns} is not there") from error


def legs(addresses: Iterable[str]) -> list[str]:
    """The interfaces that have one of these addresses; Gone when none has."""
    wanted = {ipaddress.ip_address(address) for address in addresses}
    # A gateway has hundreds of addresses, and this is asked at every change.
    links = json.loads(run(["ip", "-j", "address", "show"]))
    found = {
        str(link["ifname"])
        for link in links
        for address in link.get("addr_info", ())
        if "local" in address and ipaddress.ip_address(address["local"]) in wanted
    }
    if not found:
        raise Gone("the gateway has no interface on the storage network yet")
    return sorted(found)


def ensure_loaded(files: FlowFiles, text: str) -> None:
    """The kernel has these rules and forwards by them; the bytes counted so far are kept."""
    loaded = files.loaded()
    if not _is_same(STATE, loaded.state):
        # Without a table nothing was counted: the gateway begins now.
        started_at = loaded.started_at if _listing(STATE) else None
        _load(STATE_TEXT)
        started_at = started_at or datetime.now(UTC)
        loaded = msgspec.structs.replace(loaded, state=_digest(STATE), started_at=started_at)
        files.note(loaded)
    if loaded.asked != _hash(text) or not _is_same(RULES, loaded.rules):
        _load(text)
        files.note(msgspec.structs.replace(loaded, asked=_hash(text), rules=_digest(RULES)))
    netlink.write_sysctls(_SETTINGS)
    if not is_forwarding():
        netlink.write_sysctls(dict.fromkeys(_FORWARDING, "1") | _AFTER)


def ensure_absent() -> None:
    """Nothing is forwarded, and there are no rules."""
    netlink.write_sysctls(dict.fromkeys(_FORWARDING, "0") | _AFTER)
    for table in (RULES, STATE):
        _load(f"add table inet {table}\ndelete table inet {table}\n")


def problem(files: FlowFiles, text: str) -> str | None:
    """What is not as `ensure_loaded` leaves it."""
    loaded = files.loaded()
    if not is_forwarding():
        return "forwarding is off"
    if loaded.asked != _hash(text) or not _is_same(RULES, loaded.rules):
        return "rules differ"
    return None if _is_same(STATE, loaded.state) else "bytes are not counted"


def is_forwarding() -> bool:
    """Whether packets pass from one interface to another."""
    return all(Path("/proc/sys/net", key).read_text().strip() == "1" for key in _FORWARDING)


class InForce(msgspec.Struct, frozen=True, kw_only=True):
    """What the kernel decides by."""

    loaded: bool = False
    sets: dict[str, list[Network]] = {}
    doors: dict[str, str] = {}  # {address on the tenant's segment: the chain it leads to}


def in_force() -> InForce:
    """What is loaded, whoever loaded it."""
    sets: dict[str, list[Network]] = {}
    doors: dict[str, str] = {}
    items = _items(RULES)
    for item in items:
        if found := item.get("set"):
            sets[found["name"]] = [n for e in found.get("elem", ()) for n in _networks(e)]
        elif (found := item.get("map")) and found["name"].startswith("doors"):
            for address, verdict in found.get("elem", ()):
                doors[str(address)] = verdict["jump"]["target"]
    return InForce(loaded=bool(items), sets=sets, doors=doors)


def bytes_passed() -> tuple[int, int]:
    """(from tenants, to tenants)."""
    counted = {"bytes_in": 0, "bytes_out": 0}
    for item in _items(STATE):
        found: dict[str, Any] = item.get("set", {})
        if (name := found.get("name", "")) in counted:
            elements = (element["elem"] for element in found.get("elem", ()))
            counted[name] = sum(element["counter"]["bytes"] for element in elements)
    return counted["bytes_in"], counted["bytes_out"]


def expect_strays(ends: Iterable[tuple[str, int]]) -> None:
    """What still comes for these addresses and ports is answered by a reset, for a while."""
    lines = [
        f"add element inet {STATE} cut{6 if ':' in address else 4} "
        f"{{ {address} . {port} timeout 10s }}\n"
        for address, port in sorted(set(ends))
    ]
    if lines:
        _load("".join(lines))


def _networks(element: Any) -> list[Network]:
    if isinstance(element, str):
        return [ipaddress.ip_network(element)]
    if prefix := element.get("prefix"):
        return [ipaddress.ip_network(f"{prefix['addr']}/{prefix['len']}")]
    return _between(*map(ipaddress.ip_address, element["range"]))


def _between(first: Address, last: Address) -> list[Network]:
    if isinstance(first, ipaddress.IPv6Address) or isinstance(last, ipaddress.IPv6Address):
        ends = ipaddress.IPv6Address(int(first)), ipaddress.IPv6Address(int(last))
        return list(ipaddress.summarize_address_range(*ends))
    return list(ipaddress.summarize_address_range(first, last))


def _items(table: str) -> list[dict[str, Any]]:
    try:
        answer = run(["nft", "-j", "list", "table", "inet", table], timeout=30)
    except CommandFailed as error:
        if "No such file or directory" not in error.output:
            raise
        return []
    return json.loads(answer)["nftables"]


def _listing(table: str) -> str:
    """The table without what changes by itself; "" when there is none."""
    try:
        return run(["nft", "-s", *_TERSE.get(table, ()), "list", "table", "inet", table])
    except CommandFailed as error:
        if "No such file or directory" not in error.output:
            raise
        return ""


_TERSE = {STATE: ("-t",)}


def _load(text: str) -> None:
    """One transaction."""
    netlink.act(run, ["nft", "-f", "-"], stdin=text, timeout=60)


def _is_same(table: str, digest: str) -> bool:
    return digest != "" and _digest(table) == digest


def _digest(table: str) -> str:
    return _hash(_listing(table))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
