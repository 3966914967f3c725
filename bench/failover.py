"""A host of gateways dies: how long its clients stall before the standby serves them."""

import contextlib
import itertools
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from bench.stream import Stream
from bench.table import Figure
from tests.lab.nfs4 import NfsError
from tests.roads.gateway_pair import STANDBY, PairedRoad, addresses_in
from tests.roads.network import Tenant, address_of
from tests.waiting import until

ROUNDS = 3
PIECE, MORE = 4096, 20
PATIENCE = 150
VM = "10.0.0.50"


def measure() -> list[Figure]:
    """Agent and keepalived killed and cables pulled at once; the client's connection stays."""
    with (
        tempfile.TemporaryDirectory() as directory,
        PairedRoad(Path(directory)) as road,
    ):
        tenant = road.tenant("bench")
        share = tenant.share(VM)
        server = address_of(tenant.api, share)
        with road.client(tenant, VM) as client:
            stalls: list[float] = []
            for _ in range(ROUNDS):
                _both_ready(road, tenant, server)
                with Stream(server, netns=client.netns, timeout=PATIENCE) as session:
                    _keep_alive(session)
                    stalls.append(_stall(road, tenant, session, share.pseudo))
                road.plug_cables()
                road.service.start()
    group = f"gateway road, L4: its host dies, a standby is there ({ROUNDS} times)"
    note = "the slowest; " + ", ".join(f"{stall:.1f}" for stall in stalls)
    return [
        Figure(group=group, name="longest pause of its client", value=max(stalls),
               unit="s", target=60, note=note),
    ]  # fmt: skip


def _both_ready(road: PairedRoad, tenant: Tenant, server: str) -> None:
    """The first gateway has the addresses, and the other one could take them."""
    (active, standby) = road.namespaces(tenant).values()
    until(lambda: server in addresses_in(active), "the first gateway has the addresses")
    until(lambda: server not in addresses_in(standby), "the standby has not")
    until(lambda: "set rw4_" in _rules(standby), "the standby has the share's rules")


def _keep_alive(session: Stream) -> None:
    """Its connection asks for a sign of life after a minute, as that of Linux' NFS client does
    (sunrpc, timeo=600): a client whose request was heard, but not answered, sends nothing else."""
    connection = session._rpc._socket
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL):
        connection.setsockopt(socket.IPPROTO_TCP, option, 60)


def _is_known(road: PairedRoad, port: int) -> bool:
    """The standby's conntrackd knows a connection from that port."""
    (conf,) = road.standby.state.glob("pairs/*/*.conntrackd")
    argv = ["conntrackd", "-C", str(conf), "-e"]
    said = subprocess.run(argv, capture_output=True, text=True, check=False).stdout
    return f"sport={port} " in said


def _rules(netns: str) -> str:
    argv = ["nsenter", f"--net=/run/netns/{netns}", "nft", "list", "ruleset"]
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout


def _stall(road: PairedRoad, tenant: Tenant, session: Stream, export: str) -> float:
    """Seconds between the last answer before and the first one after."""
    done = [time.monotonic()]
    file = session.open(session.lookup(export), "file", write=True, create=True)
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            # A raw client's session may have expired (the filer's lease is short here): that, too,
            # is an answer of the filer's on the same connection.
            with contextlib.suppress(NfsError):
                session.write(file, 0, b"x" * PIECE)
            done.append(time.monotonic())

    writer = threading.Thread(target=write)
    writer.start()
    try:
        until(lambda: len(done) > MORE, "the client writes")
        port = session._rpc._socket.getsockname()[1]
        until(lambda: _is_known(road, port), "the standby has heard of the connection")
        died = time.monotonic()
        road.service.kill()
        road.kill_gateways(tenant)
        road.pull_cables()
        standby = road.namespaces(tenant)[STANDBY]
        after = len(done)
        until(lambda: len(done) > after + MORE, "the client writes again", seconds=PATIENCE)
        assert addresses_in(standby)
    finally:
        stop.set()
        writer.join(PATIENCE)
    late = [at for at in done if at >= died - 1]
    return max(b - a for a, b in itertools.pairwise(late))
