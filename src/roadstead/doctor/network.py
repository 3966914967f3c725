"""What a host of share servers needs: the network road's checks."""

import os
from collections.abc import Iterator
from pathlib import Path

from roadstead.config.sections import Config
from roadstead.drivers.host.needs import (
    GANESHA_PLUGINS,
    MISSING,
    OK,
    WARN,
    Check,
    State,
    fact,
    in_new_netns,
    plugin,
    python_packages,
    tool,
)
from roadstead.model.errors import RoadsteadError
from roadstead.model.networks import NetworkInfo

ROAD = "network"
_IP = ("ip", "-batch", "-")
_NFT = ("nft", "-f", "-")
# Where the driver's rules hang: a segment's ports, and its bridge's way up into the host.
_BRIDGE_RULES = """add table bridge t
add map bridge t m { type ifname : verdict; }
add chain bridge t c { type filter hook prerouting priority -300; }
add rule bridge t c ether type arp arp saddr ip 192.0.2.1 accept
"""
_INGRESS = """add table netdev t
add chain netdev t c { type filter hook ingress device "lo" priority 0; policy drop; }
"""


def network(config: Config) -> Iterator[Check]:
    """What share servers on tenants' segments need; each kernel feature is tried in a namespace
    that is gone afterwards."""
    yield tool(ROAD, "ip", ["-V"], "apt install iproute2")
    yield tool(ROAD, "nft", ["--version"], "apt install nftables")
    packages = python_packages(ROAD, ("pyroute2",))
    yield packages
    yield _tried("namespaces", _IP, "link set lo up\n", "a kernel with CONFIG_NET_NS")
    yield _tried("veth", _IP, "link add a0 type veth peer name a1\n", "modprobe veth")
    yield _tried("bridge", _IP, "link add b0 type bridge\n", "modprobe bridge")
    yield _tried("anti-spoofing", _NFT, _BRIDGE_RULES, "a kernel with CONFIG_NF_TABLES_BRIDGE")
    yield _tried("host protection", _NFT, _INGRESS, "a kernel with CONFIG_NETFILTER_INGRESS")
    vxlan = "link add x0 type vxlan id 5 dstport 4789\n"
    yield _tried("vxlan", _IP, vxlan, "modprobe vxlan")
    yield from _vlan(str(config.network.options.get("ovs_database", "")))
    yield tool(ROAD, "ganesha.nfsd", ["-v"], "apt install nfs-ganesha nfs-ganesha-vfs")
    yield plugin(ROAD, GANESHA_PLUGINS)
    yield tool(ROAD, "dbus-daemon", ["--version"], "apt install dbus-daemon")
    yield tool(ROAD, "smbd", ["--version"], "apt install samba, for CIFS shares", need=False)
    if packages.state == OK:
        yield from _configured(config)


def _tried(name: str, argv: tuple[str, ...], commands: str, fix: str) -> Check:
    return in_new_netns(ROAD, name, argv, commands, fix)


def _vlan(database: str) -> Iterator[Check]:
    """By the kernel or by Open vSwitch; without both there is VXLAN still."""
    commands = "link add b0 type bridge\nlink add link b0 name v0 type vlan id 5\n"
    kernel = _tried("802.1q", _IP, commands, "")
    switch = tool(ROAD, "ovs-vsctl", ["--version"], "apt install openvswitch-switch", need=False)
    socket = Path((database or "unix:/run/openvswitch/db.sock").removeprefix("unix:"))
    if kernel.state == OK:
        yield Check(road=ROAD, name="vlan", state=OK, found="by the kernel's 802.1q, tried")
    elif switch.state == OK and socket.is_socket():
        found = f"by Open vSwitch {switch.found}; the kernel has no 802.1q"
        yield Check(road=ROAD, name="vlan", state=OK, found=found)
    else:
        found = "the kernel has no 802.1q" if os.geteuid() == 0 else kernel.found
        if switch.state == OK:
            found += f"; Open vSwitch {switch.found} does not run ({socket})"
        fix = "modprobe 8021q; or apt install openvswitch-switch and start it"
        yield Check(road=ROAD, name="vlan", state=WARN, found=found, fix=fix)


def _configured(config: Config) -> Iterator[Check]:
    """What `[network]` makes of it, and whether the segments of `[networks.<name>]` can be had."""
    from roadstead.agent.networks import make_network  # with pyroute2

    try:
        driver = make_network(config)
        info = driver.capabilities() if driver is not None else None
    except (RoadsteadError, OSError) as error:
        fix = "correct [network] options"
        yield Check(road=ROAD, name="driver", state=MISSING, found=str(error)[:120], fix=fix)
        return
    if info is None:
        fix = 'set driver = "segments" and its options in [network]'
        yield Check(road=ROAD, name="driver", state=WARN, found="not configured", fix=fix)
        return
    kinds = ", ".join(info.segment_kinds)
    why = "; ".join(info.missing)
    state: State = OK if kinds else MISSING
    found = f"{info.kind}: {kinds or why}"
    yield Check(road=ROAD, name="driver", state=state, found=found, fix="see [network] options")
    for warning in info.warnings:
        fix = "sysctl net.bridge.bridge-nf-call-iptables=0, and -ip6tables"
        yield Check(road=ROAD, name="isolation", state=WARN, found=warning, fix=fix)
    yield from _pools(config, info)


def _pools(config: Config, info: NetworkInfo) -> Iterator[Check]:
    for name, pool in config.networks.items():
        here = pool.type in info.segment_kinds
        here = here and pool.physical_network in ("", *info.physical_networks)
        found = f"{pool.type} {pool.ids}".strip()
        if not here:
            reasons = [m for m in info.missing if m.startswith(f"{pool.type}:")]
            found = "; ".join(reasons) or f"no physical network {pool.physical_network} here"
        fix = "correct [network] options on this host, or have another host for it"
        yield fact(ROAD, f"segments {name}", here, found, fix)
