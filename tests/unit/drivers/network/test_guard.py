"""A port speaks as nobody but itself (X-2)."""

import json
import subprocess

import pytest

from roadstead.model import networks as n
from roadstead.model import world as w
from roadstead.model.ids import place_netns
from tests.lab import frames
from tests.lab.greeter import Greeter, ask
from tests.lab.hosts import hold_back
from tests.lab.netns import ip
from tests.unit.drivers.network.tenants import (
    CLIENT,
    SERVER,
    SERVER6,
    Tenant,
    Wiring,
)
from tests.unit.drivers.network.test_isolation import nft

pytestmark = [pytest.mark.isolation, pytest.mark.real]
OTHER = "02:00:00:00:00:99"


def lies(mac: str) -> dict[str, bytes]:
    """Frames that a server of this MAC has no business to send."""
    own = n.link_local(mac)
    return {
        "another MAC": frames.udp(OTHER, SERVER, CLIENT, b"lie 1"),
        "another's address in ARP": frames.arp(mac, CLIENT, SERVER),
        "another's MAC in ARP": frames.arp(OTHER, SERVER, CLIENT, sender=mac),
        "another's address": frames.udp(mac, CLIENT, SERVER, b"lie 4"),
        "a VLAN tag": frames.udp(mac, SERVER, CLIENT, b"lie 5", vlan=7),
        "another's IPv6 address": frames.udp(mac, "fd00::10", SERVER6, b"lie 6"),
        "another's link-local address": frames.udp(mac, "fe80::10", SERVER6, b"lie 7"),
        "a neighbour's advertisement": frames.advertisement(mac, own, "fd00::10"),
        "a neighbour's source and target": frames.advertisement(mac, "fd00::10", "fd00::10"),
        "a router's advertisement": frames.router(mac, own),
        "no address at all": frames.udp(mac, "::", SERVER6, b"lie 11"),
        "an unknown protocol": frames.ethernet(mac, frames.BROADCAST, 0x88B5, b"lie 12"),
    }


def truths(mac: str) -> dict[str, bytes]:
    """Frames it must be able to send."""
    own = n.link_local(mac)
    return {
        "ARP": frames.arp(mac, SERVER, CLIENT),
        "IPv4": frames.udp(mac, SERVER, CLIENT, b"truth 2"),
        "IPv6": frames.udp(mac, SERVER6, "fd00::10", b"truth 3"),
        "link-local": frames.udp(mac, own, "fd00::10", b"truth 4"),
        "an advertisement": frames.advertisement(mac, SERVER6, SERVER6),
        "an advertisement by link": frames.advertisement(mac, own, SERVER6),
        "one for the link": frames.advertisement(mac, own, own),
    }


def heard(tenant: Tenant, sent: dict[str, bytes]) -> set[str]:
    """Which of the frames, sent by the server, a VM on the other host gets."""
    listener = tenant.client(0)
    last = frames.udp(tenant.server.mac, SERVER, CLIENT, b"that was all")
    with frames.Capture(listener.netns, listener.device) as capture:
        frames.send(tenant.netns, tenant.server.interface, *sent.values(), last)
        capture.wait_for(b"that was all")
    return {name for name, frame in sent.items() if frame in capture.frames}


def test_no_lie_leaves_a_port(wiring: Wiring) -> None:
    """By any means of transport; the control takes the rules away."""
    with Tenant(wiring) as tenant:
        mac = tenant.server.mac
        assert heard(tenant, lies(mac)) == set()
        nft(tenant.host, "flush ruleset")
        # A tagged frame is stopped once more, by the other host's segment.
        assert heard(tenant, lies(mac)) == lies(mac).keys() - {"a VLAN tag"}


def test_the_truth_leaves_a_port(wiring: Wiring) -> None:
    with Tenant(wiring) as tenant:
        mac = tenant.server.mac
        assert heard(tenant, truths(mac)) == truths(mac).keys()


def test_a_stolen_address_gets_nothing(tenant: Tenant) -> None:
    """A neighbour that takes the address of a host that is down is not served as that host."""
    victim, thief = tenant.port(0, f"{CLIENT}/24"), tenant.port(0, "10.0.0.12/24")
    netns = place_netns(thief.place_id)
    with Greeter(tenant.netns, SERVER, b"files") as server:
        assert ask(place_netns(victim.place_id), SERVER) == b"files"
        assert ask(netns, SERVER) == b"files"
        tenant.wiring.drivers[0].ensure_port_down(n.PortRef(id=victim.id))
        ip("address", "add", f"{CLIENT}/24", "dev", thief.interface, netns=netns)
        assert ask(netns, SERVER, source=CLIENT, timeout=1.5) is None
        assert server.callers == [CLIENT, "10.0.0.12"]
        first = tenant.wiring.hosts.hosts[0].netns
        nft(first, "flush ruleset")
        ip("neighbour", "flush", "all", netns=tenant.netns)
        assert ask(netns, SERVER, source=CLIENT) == b"files"  # control
        assert server.callers[-1] == CLIENT


def test_a_vm_can_be_held_back_by_the_same_rules(tenant: Tenant) -> None:
    """On the tap of a VM, when this host is its compute host, too; with a control."""
    vm = tenant.client(0, "10.0.0.12/24", f"{CLIENT}/24")
    with Greeter(tenant.netns, SERVER, b"files"):
        assert ask(vm.netns, SERVER, source=CLIENT) == b"files"  # control
        hold_back(tenant.wiring.hosts.hosts[0], vm.tap, vm.mac, "10.0.0.12/24")
        assert ask(vm.netns, SERVER, source=CLIENT, timeout=1.5) is None
        assert ask(vm.netns, SERVER, source="10.0.0.12") == b"files"


def test_nobody_on_the_wire_takes_the_servers_mac(tenant: Tenant) -> None:
    """The server's host goes on finding the server where it is; with a control."""
    thief = tenant.client(0)
    steal = frames.udp(tenant.server.mac, CLIENT, SERVER, b"stolen MAC")
    mark = frames.udp(thief.mac, CLIENT, SERVER, b"own MAC")
    with Greeter(tenant.netns, SERVER, b"files"):
        local = tenant.client(1, f"{CLIENT}/24")
        assert ask(local.netns, SERVER) == b"files"  # the bridge knows the server
        with frames.Capture(local.netns, local.device) as seen:
            frames.send(thief.netns, thief.device, steal, mark)
            seen.wait_for(b"own MAC")
        assert steal not in seen.frames
        assert _where(tenant) == {tenant.server.device}
        nft(tenant.host, "flush ruleset")
        with frames.Capture(local.netns, local.device) as seen:
            frames.send(thief.netns, thief.device, steal)
            seen.wait_for(b"stolen MAC")  # control


def _where(tenant: Tenant) -> set[str]:
    """The bridge ports behind which the server's host believes the server's MAC."""
    argv = ["bridge", "-n", tenant.host, "-json", "fdb", "show", "br", tenant.bridge]
    shown = json.loads(subprocess.run(argv, check=True, capture_output=True).stdout)
    return {
        entry["ifname"]
        for entry in shown
        if entry["mac"] == tenant.server.mac and entry.get("master") == tenant.bridge
    }


@pytest.mark.parametrize("again", [1, 2])
def test_a_port_made_again_is_still_guarded(tenant: Tenant, again: int) -> None:
    """And one whose rules somebody flushed gets them back."""
    spec = n.PortSpec(
        id=tenant.server.id,
        segment_id=tenant.spec.id,
        place=_place(tenant),
        addresses=tenant.server.addresses,
    )
    driver = tenant.wiring.drivers[1]
    for _ in range(again):
        nft(tenant.host, "flush ruleset")
        broken = {m.kind: m.broken for m in driver.inventory()}
        assert broken["port"] == "its anti-spoofing rules are missing"
        assert broken["segment"] == "the host is reachable from it"
        driver.ensure_segment(tenant.spec)
        driver.ensure_port(spec)
    assert {mark.broken for mark in driver.inventory()} == {None}
    assert heard(tenant, lies(tenant.server.mac)) == set()


def _place(tenant: Tenant) -> w.Place:
    return w.Place(id=tenant.server.place_id, netns=tenant.netns)
