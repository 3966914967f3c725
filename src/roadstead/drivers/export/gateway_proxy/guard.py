"""What a gateway's namespace takes, where the gateway is a process and the kernel passes nothing:
NFS from tenants, answers from the storage network. Bytes to and from tenants are counted.
"""

import ipaddress
import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from roadstead.drivers.host import netlink
from roadstead.drivers.host.exec import CommandFailed, run
from roadstead.drivers.host.netlink import Netlink
from roadstead.model.errors import NotFound, Transient
from roadstead.model.world import Place

T = TypeVar("T")
RULES, COUNTS, ONCE = "roadstead_guard", "roadstead_counts", "roadstead_once"
_SAME = timedelta(seconds=2)  # as exactly as the kernel tells when a process began


class Gone(Transient):
    """The gateway's namespace, or its leg on the storage network, is not there."""


def ensure(place: Place, port: int) -> None:
    """Nothing comes in but NFS, and that from tenants only. Gone without a storage leg."""
    _inside(place, lambda links: _load(_rules(_legs(links, place.storage), port)))


def count(place: Place, port: int, since: datetime) -> None:
    """Bytes are counted from then on; a count since then goes on."""
    counted = _counted(place)[2]
    if counted is None or abs(since - counted) > _SAME:
        _inside(place, lambda links: _load(_counts(_legs(links, place.storage), port, since)))


def let_connect(place: Place, port: int) -> None:
    """The gateway's server can connect to the filer, once. What comes after the end of that
    connection would be answered wrongly: so its clients wait, until the server is started anew."""
    _inside(place, lambda links: _load(_once(_legs(links, place.storage), port)))


def bytes_passed(place: Place) -> tuple[int, int]:
    """(from tenants, to tenants), packets' headers included; 0 while nothing counts."""
    return _counted(place)[:2]


def ensure_absent(place: Place) -> None:
    """There are no rules."""
    text = "".join(f"add table inet {t}\ndelete table inet {t}\n" for t in (RULES, COUNTS, ONCE))
    _inside(place, lambda _: _load(text))


def _rules(legs: Sequence[str], port: int) -> str:
    storage = _set(legs)
    return f"""
add table inet {RULES}
delete table inet {RULES}
table inet {RULES} {{
  chain forward {{ type filter hook forward priority filter; policy drop; }}
  chain input {{ type filter hook input priority filter; policy drop;
    iifname "lo" accept
    # Linux would answer for any address of its own on any of its interfaces.
    fib daddr . iif type != {{ local, broadcast, multicast }} drop
    meta l4proto {{ icmp, ipv6-icmp }} accept
    iifname {storage} ct state established,related accept
    iifname {storage} drop
    tcp dport {port} accept
    meta l4proto tcp reject with tcp reset
  }}
}}
"""


def _counts(legs: Sequence[str], port: int, since: datetime) -> str:
    others = _set([*legs, "lo"])
    return f"""
add table inet {COUNTS}
delete table inet {COUNTS}
table inet {COUNTS} {{
  counter bytes_in {{ }}
  counter bytes_out {{ }}
  chain came {{ type filter hook input priority 10;
    iifname != {others} tcp dport {port} counter name bytes_in comment "{since.isoformat()}"
  }}
  chain went {{ type filter hook output priority 10;
    oifname != {others} tcp sport {port} counter name bytes_out
  }}
}}
"""


def _once(legs: Sequence[str], port: int) -> str:
    """A server's port is below 1024 on both sides of a filer; who only looks has another one."""
    storage, begins = _set(legs), "tcp flags & (syn | ack) =="
    return f"""
add table inet {ONCE}
delete table inet {ONCE}
table inet {ONCE} {{
  set connected {{ type inet_proto; size 4; flags dynamic; }}
  chain answered {{ type filter hook input priority -10;
    iifname {storage} tcp sport {port} tcp dport < 1024 {begins} (syn | ack) \
      add @connected {{ meta l4proto }}
  }}
  chain asked {{ type filter hook output priority -10;
    oifname {storage} tcp dport {port} tcp sport < 1024 {begins} syn \
      meta l4proto @connected reject with tcp reset
  }}
}}
"""


def _counted(place: Place) -> tuple[int, int, datetime | None]:
    """(from tenants, to tenants, since when)."""
    found = {"bytes_in": 0, "bytes_out": 0}
    since = None
    for item in _inside(place, lambda _: _items()):
        counter, rule = item.get("counter", {}), item.get("rule", {})
        if counter.get("name") in found:
            found[counter["name"]] = counter["bytes"]
        if "comment" in rule:
            since = datetime.fromisoformat(rule["comment"])
    return found["bytes_in"], found["bytes_out"], since


def _items() -> list[dict[str, Any]]:
    try:
        return json.loads(run(["nft", "-j", "list", "table", "inet", COUNTS]))["nftables"]
    except CommandFailed as error:
        if "No such file or directory" not in error.output:
            raise
        return []


def _legs(links: Netlink, addresses: Iterable[str]) -> list[str]:
    wanted = set(map(ipaddress.ip_address, addresses))
    found = [
        link.name
        for link in links.links()
        if wanted & {ipaddress.ip_interface(a).ip for a in links.addresses(link)}
    ]
    if not found:
        raise Gone("the gateway has no interface on the storage network yet")
    return sorted(found)


def _set(names: Sequence[str]) -> str:
    return "{ " + ", ".join(f'"{name}"' for name in names) + " }"


def _load(text: str) -> None:
    """One transaction."""
    netlink.act(run, ["nft", "-f", "-"], stdin=text)


def _inside(place: Place, call: Callable[[Netlink], T]) -> T:
    if place.netns is None:
        raise Gone("a gateway has a network namespace of its own")
    try:
        return netlink.within(place.netns, call)
    except NotFound as error:
        raise Gone(f"the gateway's namespace {place.netns} is not there") from error
