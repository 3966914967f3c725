"""Connections that a gateway does not let pass any more end at both ends.

Without a word a client would wait for its retransmissions, and the filer, which still believes
in the connection, would not take a new one from the same port.
"""

import contextlib
import ipaddress
import os
import socket
import struct
from collections.abc import Iterable, Mapping

from roadstead.drivers.export.gateway import nft
from roadstead.drivers.export.gateway.files import StoredFlow
from roadstead.drivers.export.gateway.rules import UNTRACKED, of_mark
from roadstead.drivers.host import conntrack
from roadstead.drivers.host.conntrack import Connection
from roadstead.model.admission import level_for

_SYN = 0x02


def cut_strangers(flows: Mapping[int, StoredFlow]) -> list[Connection]:
    """No connection passes whose client has not, or no more, the level it was admitted with."""
    strangers = [c for c in conntrack.connections() if not _is_admitted(c, flows)]
    end(strangers)
    return strangers


def end(connections: Iterable[Connection]) -> None:
    """The kernel knows them no more, and both their ends were told."""
    wanted = list(connections)
    conntrack.forget(wanted)
    nft.expect_strays((c.seen, c.seen_port) for c in wanted)
    for c in wanted:
        # An end that believes in the connection answers a SYN with what it expects next
        # (RFC 5961, section 4); the rules answer that with a reset it must believe.
        _send_syn(c.seen, c.seen_port, c.far, c.far_port)
        _send_syn(c.server, c.server_port, c.client, c.client_port)


def _is_admitted(connection: Connection, flows: Mapping[int, StoredFlow]) -> bool:
    export_id, level = of_mark(connection.mark)
    flow = flows.get(export_id)
    if flow is None or flow.leaving or connection.server not in flow.addresses:
        return False
    if flow.granted.get(connection.seen) != level:
        return False
    return level_for(connection.client, flow.clients) == level


def _send_syn(source: str, source_port: int, to: str, to_port: int) -> None:
    """One packet, of no connection of ours. An end that cannot be reached needs none."""
    family = socket.AF_INET6 if ":" in to else socket.AF_INET
    head = struct.pack(
        "!HHIIBBHHH", source_port, to_port, int.from_bytes(os.urandom(4)), 0, 5 << 4, _SYN, 0, 0, 0
    )
    with socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_TCP) as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, UNTRACKED)
        with contextlib.suppress(OSError):
            raw.bind((source, 0))
            raw.sendto(_summed(head, source, to), (to, 0))


def _summed(head: bytes, source: str, to: str) -> bytes:
    """The header with its checksum (RFC 9293, section 3.1)."""
    ends = ipaddress.ip_address(source).packed + ipaddress.ip_address(to).packed
    pseudo = ends + struct.pack("!II", len(head), socket.IPPROTO_TCP)
    total = sum(struct.unpack(f"!{len(pseudo + head) // 2}H", pseudo + head))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return head[:16] + struct.pack("!H", total ^ 0xFFFF) + head[18:]
