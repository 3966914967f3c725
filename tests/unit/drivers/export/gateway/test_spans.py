"""Rules become ranges that do not overlap, and every address keeps its most specific level."""

from __future__ import annotations

import ipaddress
import random

import pytest

from roadstead.drivers.export.gateway.spans import disjoint
from roadstead.model.admission import level_for


def texts(clients: dict[str, str], version: int) -> dict[str, list[str]]:
    return {level: [str(n) for n in found] for level, found in disjoint(clients, version).items()}


# D-I6
@pytest.mark.parametrize(
    ("clients", "version", "wanted"),
    [
        ({}, 4, {}),
        ({"10.0.0.1/32": "rw"}, 4, {"rw": ["10.0.0.1/32"]}),
        ({"10.0.0.1/32": "rw"}, 6, {}),
        ({"0.0.0.0/0": "ro"}, 4, {"ro": ["0.0.0.0/0"]}),
        ({"::/0": "ro"}, 6, {"ro": ["::/0"]}),
        (
            {"10.0.0.0/30": "ro", "10.0.0.1/32": "rw"},
            4,
            {"ro": ["10.0.0.0/32", "10.0.0.2/31"], "rw": ["10.0.0.1/32"]},
        ),
        # What a rule says again of a part of another changes nothing.
        ({"10.0.0.0/30": "ro", "10.0.0.1/32": "ro"}, 4, {"ro": ["10.0.0.0/30"]}),
        ({"10.0.0.0/31": "rw", "10.0.0.2/31": "rw"}, 4, {"rw": ["10.0.0.0/30"]}),
        # At the very ends of what there is.
        (
            {"128.0.0.0/1": "rw", "255.255.255.255/32": "ro", "0.0.0.0/32": "ro"},
            4,
            None,
        ),
        ({"::/0": "rw", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128": "ro"}, 6, None),
    ],
)
def test_levels(clients: dict[str, str], version: int, wanted: dict[str, list[str]] | None) -> None:
    if wanted is not None:
        assert texts(clients, version) == wanted
    assert_as_the_rules_say(clients, version)


@pytest.mark.parametrize("seed", range(30))
def test_any_rules(seed: int) -> None:
    made = random.Random(seed)
    clients: dict[str, str] = {}
    for _ in range(made.randrange(1, 12)):
        length = made.randrange(22, 33)
        address = ipaddress.IPv4Address("10.0.0.0") + made.randrange(1024)
        network = ipaddress.ip_network(f"{address}/{length}", strict=False)
        clients[str(network)] = made.choice(("rw", "ro"))
    assert_as_the_rules_say(clients, 4)


def assert_as_the_rules_say(clients: dict[str, str], version: int) -> None:
    """At every edge, and one beyond, of each rule's network."""
    found = disjoint(clients, version)
    networks = [n for text in clients if (n := ipaddress.ip_network(text)).version == version]
    most = networks[0].max_prefixlen if networks else 0
    for network in networks:
        first, last = int(network.network_address), int(network.broadcast_address)
        for number in (first - 1, first, last, last + 1):
            if not 0 <= number < 1 << most:
                continue
            address = type(network.network_address)(number)  # type: ignore[call-arg]
            levels = [level for level, nets in found.items() if any(address in n for n in nets)]
            wanted = level_for(str(address), clients)
            assert levels == ([] if wanted is None else [wanted]), address
