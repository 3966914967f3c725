"""Access rules as address ranges that do not overlap: each address has the level that the most
specific rule gives it."""

import ipaddress
from collections.abc import Iterable, Mapping
from functools import lru_cache

from roadstead.model.admission import Network

_BITS = {4: 32, 6: 128}


def disjoint(clients: Mapping[str, str], version: int) -> dict[str, list[Network]]:
    """The clients of that IP version, {level: networks that have nothing in common}, in order."""
    return _disjoint(tuple(clients.items()), version)


# Whenever one share's rules change all shares' are asked for.
@lru_cache(maxsize=4096)
def _disjoint(clients: tuple[tuple[str, str], ...], version: int) -> dict[str, list[Network]]:
    networks = [(ipaddress.ip_network(text), level) for text, level in clients]
    mine = [(n, level) for n, level in networks if n.version == version]
    mine.sort(key=lambda pair: (int(pair[0].network_address), pair[0].prefixlen))
    spans = [(int(n.network_address), int(n.broadcast_address), level) for n, level in mine]
    levels: dict[str, list[Network]] = {}
    for first, last, level in _joined(_painted(spans, 1 << _BITS[version])):
        levels.setdefault(level, []).extend(_networks(first, last, version))
    return levels


def _painted(spans: list[tuple[int, int, str]], end: int) -> Iterable[tuple[int, int, str]]:
    """The spans, each without those inside it. Networks nest or are apart, so a stack does."""
    open_: list[tuple[int, str]] = []
    at = 0
    for first, last, level in [*spans, (end, end, "")]:
        while open_ and open_[-1][0] < first:
            until, outer = open_.pop()
            if at <= until:
                yield at, until, outer
            at = max(at, until + 1)
        if open_ and at < first:
            yield at, first - 1, open_[-1][1]
        open_.append((last, level))
        at = first


def _joined(spans: Iterable[tuple[int, int, str]]) -> Iterable[tuple[int, int, str]]:
    """The spans; neighbours of one level are one."""
    joined: list[tuple[int, int, str]] = []
    for first, last, level in spans:
        if joined and (joined[-1][1] + 1, joined[-1][2]) == (first, level):
            joined[-1] = (joined[-1][0], last, level)
        else:
            joined.append((first, last, level))
    return joined


def _networks(first: int, last: int, version: int) -> Iterable[Network]:
    make = ipaddress.IPv4Address if version == 4 else ipaddress.IPv6Address
    return ipaddress.summarize_address_range(make(first), make(last))
