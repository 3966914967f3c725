"""Tenants are apart from each other and from the hosts."""

import contextlib
import socket
import subprocess

import pytest

from roadstead.model import networks as n
from tests.lab import frames
from tests.lab.greeter import Greeter, ask
from tests.lab.hosts import FLAT, TRUNK, TwoHosts
from tests.lab.links import find_link
from tests.lab.netns import in_thread, ip
from tests.unit.drivers.network.tenants import CLIENT, SERVER, SERVER6, Tenant, Wiring

pytestmark = [pytest.mark.isolation, pytest.mark.real]


def test_two_tenants_with_the_same_addresses_meet_only_their_own(wiring: Wiring) -> None:
    """N-I3, N-S1: and with one server gone, the other tenant's does not answer in its place."""
    with contextlib.ExitStack() as stack:
        tenants = [stack.enter_context(Tenant(wiring)) for _ in range(2)]
        clients = [tenant.client(0, f"{CLIENT}/24", "fd00::10/64") for tenant in tenants]
        for word, tenant in zip((b"first", b"second"), tenants, strict=True):
            for address in (SERVER, SERVER6):
                stack.enter_context(Greeter(tenant.netns, address, word))
        for address in (SERVER, SERVER6):
            assert ask(clients[0].netns, address) == b"first"
            assert ask(clients[1].netns, address) == b"second"
        wiring.drivers[1].ensure_port_down(n.PortRef(id=tenants[1].server.id))
        assert ask(clients[1].netns, SERVER, timeout=1.0) is None
        assert ask(clients[0].netns, SERVER) == b"first"


def test_frames_carry_the_tenants_number(wiring: Wiring) -> None:
    """N-I2: seen on the wire between the hosts."""
    with Tenant(wiring) as one, Tenant(wiring) as two:
        words = (b"frames of the first tenant", b"frames of the second tenant")
        with frames.Capture(wiring.hosts.hosts[1].netns, wiring.wire) as wire:
            for tenant, word in zip((one, two), words, strict=True):
                client = tenant.client(0, f"{CLIENT}/24")
                with Greeter(tenant.netns, SERVER, word):
                    assert ask(client.netns, SERVER) == word
            for word in words:
                wire.wait_for(word)
        seen = wire.vnis if wiring.kind == "vxlan" else wire.vlans
        assert [seen(word) for word in words] == [{one.spec.number}, {two.spec.number}]


def test_full_frames_pass(wiring: Wiring) -> None:
    """N-I2: the MTU is right at both ends: a full packet passes undivided, a larger one cannot."""
    with Tenant(wiring) as tenant:
        client, mtu = tenant.client(0, f"{CLIENT}/24"), tenant.server.mtu
        assert mtu == (1450 if wiring.kind == "vxlan" else 1500)
        with frames.Capture(tenant.netns, tenant.server.interface) as arrived:
            full = _send_undivided(client.netns, mtu)
            arrived.wait_for(full)
        with pytest.raises(OSError, match="too long"):
            _send_undivided(client.netns, mtu + 1)
        assert find_link(tenant.host, tenant.bridge)["mtu"] == mtu  # type: ignore[index]


def _send_undivided(netns: str, size: int) -> bytes:
    payload = b"\x5a" * (size - 28)

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.setsockopt(socket.IPPROTO_IP, 10, 2)  # IP_MTU_DISCOVER, IP_PMTUDISC_DO
            out.sendto(payload, (SERVER, 9))

    in_thread(netns, send)
    return payload


def test_the_host_is_out_of_reach(tenant: Tenant) -> None:
    """No way from a segment to its host, whatever routes the guest sets; with a control."""
    client, far = tenant.client(0, f"{CLIENT}/24"), tenant.wiring.hosts.hosts[1]
    with Greeter(tenant.netns, SERVER, b"tenant"), Greeter(far.netns, far.address, b"host"):
        assert ask(tenant.wiring.hosts.hosts[0].netns, far.address) == b"host"  # control
        assert ask(client.netns, SERVER) == b"tenant"  # control
        ip("route", "add", f"{far.address}/32", "dev", client.device, netns=client.netns)
        assert ask(client.netns, far.address, timeout=1.0) is None
        hop = ("via", SERVER, "dev", client.device)
        ip("route", "replace", f"{far.address}/32", *hop, netns=client.netns)
        assert ask(client.netns, far.address, timeout=1.0) is None


def test_the_host_takes_no_frame_from_a_segment(tenant: Tenant) -> None:
    """Not even one sent to the bridge's own MAC and the host's own address; with a control."""
    client, host = tenant.client(1, f"{CLIENT}/24"), tenant.wiring.hosts.hosts[1]
    bridge = find_link(host.netns, tenant.bridge)
    assert bridge is not None

    def listen() -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind(("0.0.0.0", 4999))
        made.settimeout(10)
        for who in ("all", tenant.bridge):
            with open(f"/proc/sys/net/ipv4/conf/{who}/rp_filter", "w") as file:
                file.write("0")
        return made

    def strike(word: bytes) -> None:
        to = {"to": bridge["address"], "port": 4999}
        frame = frames.udp(client.mac, CLIENT, host.address, word, **to)
        frames.send(client.netns, client.device, frame)

    with in_thread(host.netns, listen) as ear:
        with frames.Capture(host.netns, tenant.bridge) as seen:
            strike(b"guarded")
            seen.wait_for(b"guarded")  # it was there, and went no further
        nft(host.netns, "flush ruleset")
        strike(b"unguarded")
        assert ear.recv(100) == b"unguarded"


def test_a_segment_has_no_leg_in_the_host(tenant: Tenant) -> None:
    shown = ip("-oneline", "address", "show", netns=tenant.host)
    ours = {tenant.bridge, tenant.segments[1].uplink, tenant.server.device}
    assert [line for line in shown.splitlines() if line.split()[1] in ours] == []


def test_a_share_server_has_one_way_only(tenant: Tenant) -> None:
    """No management leg, no forwarding, and no route but to its own subnets."""
    names = ip("-oneline", "link", "show", netns=tenant.netns).splitlines()
    assert [name.split(":")[1].split("@")[0].strip() for name in names] == [
        "lo",
        tenant.server.interface,
    ]
    assert [r.split()[0] for r in _routes(tenant.netns)] == ["10.0.0.0/24"]
    assert ip("route", "show", "default", netns=tenant.netns) == ""
    assert ip("-6", "route", "show", "default", netns=tenant.netns) == ""
    for key in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
        assert _sysctl(tenant.netns, key) == "0"
    for key in ("ipv4/conf/{}/accept_redirects", "ipv6/conf/{}/accept_ra"):
        assert _sysctl(tenant.netns, key.format(tenant.server.interface)) == "0"


def test_no_router_is_believed(tenant: Tenant) -> None:
    """A tenant's router advertisement gives the server no way out."""
    client = tenant.client(0, f"{CLIENT}/24")
    with frames.Capture(tenant.netns, tenant.server.interface) as arrived:
        own = n.link_local(client.mac)
        after = frames.udp(client.mac, CLIENT, SERVER, b"after the advertisement")
        frames.send(client.netns, client.device, frames.router(client.mac, own), after)
        arrived.wait_for(b"after the advertisement")
    assert frames.router(client.mac, own) in arrived.frames
    assert ip("-6", "route", "show", "default", netns=tenant.netns) == ""


@pytest.mark.parametrize("means", ["kernel", "ovs"])
def test_no_tag_leads_from_a_flat_network_into_a_vlan(hosts: TwoHosts, means: str) -> None:
    """A VM that tags its frames itself gets nowhere; with a control."""
    network = {"kernel": "flat", "ovs": "trunk"}[means]
    wire = {"kernel": FLAT, "ovs": TRUNK}[means]
    wiring = Wiring(hosts, "flat", "ovs", network)
    with contextlib.ExitStack() as stack:
        if means == "ovs":  # a VLAN first: then the flat network, too, goes by the switch
            stack.enter_context(Tenant(Wiring(hosts, "vlan", "ovs")))
        tenant = stack.enter_context(Tenant(wiring))
        client = tenant.client(0, f"{CLIENT}/24")
        tagged = frames.udp(client.mac, CLIENT, SERVER, b"tagged by myself", vlan=101)
        plain = frames.udp(client.mac, CLIENT, SERVER, b"without a tag")
        with frames.Capture(hosts.hosts[1].netns, wire) as seen:
            frames.send(client.netns, client.device, tagged, plain)
            seen.wait_for(b"without a tag")
        assert seen.vlans(b"without a tag") == {None}
        assert seen.vlans(b"tagged by myself") == set()
        if means == "kernel":
            nft(hosts.hosts[0].netns, "flush ruleset")
            with frames.Capture(hosts.hosts[1].netns, wire) as seen:
                frames.send(client.netns, client.device, tagged)
                seen.wait_for(b"tagged by myself")
            assert seen.vlans(b"tagged by myself") == {101}


def nft(netns: str, command: str) -> None:
    subprocess.run(["nsenter", f"--net=/run/netns/{netns}", "nft", command], check=True)


def _routes(netns: str) -> list[str]:
    return ip("route", "show", netns=netns).splitlines()


def _sysctl(netns: str, key: str) -> str:
    def read() -> str:
        with open(f"/proc/sys/net/{key}") as file:
            return file.read().strip()

    return in_thread(netns, read)
