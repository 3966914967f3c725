"""What a host of gateways needs: the gateway road's checks."""

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

from roadstead.agent import chosen
from roadstead.config.sections import BackendConfig, Config
from roadstead.drivers import registry
from roadstead.drivers.export.gateway.files import StoredFlow
from roadstead.drivers.export.gateway.rules import STATE_TEXT, text
from roadstead.drivers.host.needs import (
    MISSING,
    OK,
    WARN,
    Check,
    State,
    fact,
    in_new_netns,
    python_packages,
    tool,
)
from roadstead.model.admission import LEVELS
from roadstead.model.errors import RoadsteadError

ROAD = "gateway"
_NFT = ("nft", "-f", "-")
_NAT = """add table inet t
add chain inet t in { type nat hook prerouting priority dstnat; }
add chain inet t out { type nat hook postrouting priority srcnat; }
add rule inet t in meta l4proto tcp dnat ip to 192.0.2.1:2049
add rule inet t in meta l4proto tcp dnat ip6 to [2001:db8::1]:2049
add rule inet t out oifname "lo" snat ip to 192.0.2.2
"""
_MARK = """add table inet t
add chain inet t c { type filter hook forward priority 0; }
add rule inet t c ct mark set 5
add rule inet t c ct status dnat ct mark 5 accept
"""
_CONNECTIONS = "from roadstead.drivers.host.conntrack import connections; connections()"
_FORWARD = ("tee", "/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding")
_PATIENCE = 3.0  # seconds for a filer to take a connection


def gateway(config: Config) -> Iterator[Check]:
    """What gateways to a filer need; each kernel feature is tried in a namespace that is gone
    afterwards. Segments and ports are the network road's."""
    yield tool(ROAD, "ip", ["-V"], "apt install iproute2")
    yield tool(ROAD, "nft", ["--version"], "apt install nftables")
    packages = python_packages(ROAD, ("pyroute2",))
    yield packages
    yield _tried("nft inet nat", _NFT, _NAT, "a kernel with NFT_NAT and NF_TABLES_INET")
    yield _tried("ct mark", _NFT, _MARK, "a kernel with NFT_CT and NF_CONNTRACK_MARK")
    yield _tried("a gateway's rules", _NFT, STATE_TEXT + _rules(), "a newer kernel and nftables")
    argv = (sys.executable, "-c", _CONNECTIONS)
    yield _tried("conntrack", argv, "", "modprobe nf_conntrack_netlink")
    yield _tried("forwarding", _FORWARD, "1\n", "a kernel with IPv6, and a writable /proc/sys")
    standby = "apt install keepalived, where a standby gateway is wanted"
    wanted = bool(config.standbys) or any(b.standby for b in config.backends.values())
    yield tool(ROAD, "keepalived", ["--version"], standby, need=wanted)
    shared = "apt install conntrackd: without it some clients stall for two minutes at a take-over"
    yield tool(ROAD, "conntrackd", ["-v"], shared, need=False)
    for name, backend in config.backends.items():
        if ROAD in backend.roads:
            yield from _backend(name, config)
            if packages.state == OK:
                yield _storage(name, config)


def _tried(name: str, argv: tuple[str, ...], commands: str, fix: str) -> Check:
    return in_new_netns(ROAD, name, argv, commands, fix)


def _rules() -> str:
    """As a gateway loads them, for one share with a client at each level."""
    both = ("192.0.2.2", "2001:db8::2")
    sources: dict[str, tuple[str, ...]] = dict.fromkeys(map(str, LEVELS), both)
    flow = StoredFlow(
        export_id=1,
        instance_id="",
        path="/",
        addresses=("192.0.2.3", "2001:db8::3"),
        sources=sources,
        clients={"192.0.2.8/29": LEVELS[0], "2001:db8::8": LEVELS[1]},
        granted={address: level for level, own in sources.items() for address in own},
    )
    filer = {4: "192.0.2.1", 6: "2001:db8::1"}
    return text([flow], filer=filer, port=2049, storage=["lo"])


def _backend(name: str, config: Config) -> Iterator[Check]:
    backend = config.backends[name]
    filer = backend.filer
    if filer.tree:
        yield _tree(name, backend)
    fix = f"correct control and control_options in [backends.{name}.filer], or start the filer"
    try:
        control = registry.make_filer(chosen.filer(config, name))
        count = sum(1 for _ in control.inventory())
    except (RoadsteadError, OSError) as error:
        found, state = str(error)[:120], MISSING
    else:
        found, state = f"{control.info.kind}: {count} exports of ours", OK
    yield Check(road=ROAD, name=f"control ({name})", state=state, found=found, fix=fix)
    for address in filer.addresses:
        yield _answers(name, address, filer.port)


def _tree(name: str, backend: BackendConfig) -> Check:
    """It is a mount, or what the agent needs to make it one is here."""
    from roadstead.drivers.host.nfs.means import facts  # with what NFS by FUSE needs
    from roadstead.drivers.pool.filer.mount import is_mount

    filer = backend.filer
    mounted, local = is_mount(Path(filer.tree)), backend.pool_options.get("allow_local")
    if mounted or local:
        found = f"{filer.tree} is {'mounted' if mounted else 'a directory of this host'}"
        return Check(road=ROAD, name=f"tree ({name})", state=OK, found=found)
    client = facts().nfs_client
    if filer.mount and client:
        found = f"the agent mounts {filer.mount} there ({client})"
        return Check(road=ROAD, name=f"tree ({name})", state=OK, found=found)
    found = f"{filer.tree} is not mounted"
    fix = "apt install nfs-common; or mfusepy and libnfs" if filer.mount else (
        f"mount it, or set mount in [backends.{name}.filer]"
    )  # fmt: skip
    return Check(road=ROAD, name=f"tree ({name})", state=MISSING, found=found, fix=fix)


def _answers(name: str, address: str, port: int) -> Check:
    """Only a warning: gateways have legs of their own, where this host may have none."""
    state: State = OK
    found = f"takes connections at port {port}"
    try:
        socket.create_connection((address, port), timeout=_PATIENCE).close()
    except OSError as error:
        state, found = WARN, f"not from this host itself: {error.strerror or error}"
    fix = "gateways have a way of their own; `roadstead gateways` tells whether they reach it"
    return Check(road=ROAD, name=f"filer {address} ({name})", state=state, found=found, fix=fix)


def _storage(name: str, config: Config) -> Check:
    """The host can have legs on the storage network."""
    from roadstead.agent.networks import make_network  # with pyroute2

    storage, label = config.backends[name].storage, f"storage network ({name})"
    try:
        driver = make_network(config)
        info = driver.capabilities() if driver is not None else None
    except (RoadsteadError, OSError) as error:
        fix = "correct [network] options"
        return Check(road=ROAD, name=label, state=MISSING, found=str(error)[:120], fix=fix)
    if info is None:
        fix = 'set driver = "segments" and its options in [network]'
        return fact(ROAD, label, False, "[network] is not configured", fix)
    where = storage.physical_network
    here = storage.type in info.segment_kinds and where in ("", *info.physical_networks)
    found = " ".join(filter(None, (storage.type, str(storage.id or ""), where)))
    fix = "name its device in [network] options, physical_networks"
    return fact(ROAD, label, here, found if here else f"no {found} here", fix)
