"""Devices and addresses as `ip` shows them: the tests' own eyes, beside the driver's."""

import json
from typing import Any

from tests.lab.netns import NETNS_DIRECTORY, ip


def find_link(netns: str, name: str) -> dict[str, Any] | None:
    """The device of the namespace; None without either."""
    return next((link for link in links(netns) if link["ifname"] == name), None)


def links(netns: str) -> list[dict[str, Any]]:
    """Every device of the namespace; [] when there is no namespace."""
    if not (NETNS_DIRECTORY / netns).exists():
        return []
    return json.loads(ip("-json", "-details", "link", "show", netns=netns))


def address_texts(netns: str, device: str) -> set[str]:
    """The device's addresses with prefix length, but for link-local ones."""
    shown = json.loads(ip("-json", "address", "show", "dev", device, netns=netns))
    return {
        f"{address['local']}/{address['prefixlen']}"
        for link in shown
        for address in link.get("addr_info", ())
        if address["scope"] != "link"
    }
