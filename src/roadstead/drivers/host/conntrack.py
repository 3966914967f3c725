"""Connections that pass a namespace and bear a mark, as the kernel's connection tracking knows
them (ctnetlink)."""

import errno
import socket
from collections.abc import Iterable
from typing import Any, cast

import msgspec
from pyroute2 import NFCTSocket  # pyright: ignore[reportMissingTypeStubs]
from pyroute2.netlink.exceptions import (  # pyright: ignore[reportMissingTypeStubs]
    NetlinkError,
)
from pyroute2.netlink.nfnetlink.nfctsocket import (  # pyright: ignore[reportMissingTypeStubs]
    NFCTAttrTuple,
)

from roadstead.drivers.host import netlink
from roadstead.drivers.host.netlink import Refused

_ESTABLISHED = 3  # TCP_CONNTRACK_ESTABLISHED
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """One TCP connection: as its client made it, and as the far end sees it."""

    client: str
    client_port: int
    server: str  # where the client connected to
    server_port: int
    far: str  # who really answers
    far_port: int
    seen: str  # as whom the far end sees the client
    seen_port: int
    mark: int
    established: bool

    @property
    def version(self) -> int:
        """4 or 6."""
        return 6 if ":" in self.client else 4


def connections() -> list[Connection]:
    """All with a mark, of the calling thread's namespace (see netlink.within)."""
    with cast(Any, NFCTSocket(nfgen_family=socket.AF_UNSPEC)) as kernel:
        found = [_connection(message) for message in kernel.dump()]
    return [connection for connection in found if connection is not None]


def forget(wanted: Iterable[Connection]) -> None:
    """The kernel knows nothing of these connections: their next packet is a stranger's."""
    for connection in wanted:
        family = _FAMILIES[connection.version]
        made: Any = NFCTAttrTuple(
            family=family,
            saddr=connection.client,
            daddr=connection.server,
            proto=socket.IPPROTO_TCP,
            sport=connection.client_port,
            dport=connection.server_port,
        )
        with cast(Any, NFCTSocket(nfgen_family=family)) as kernel:
            try:
                netlink.act(kernel.entry, "del", tuple_orig=made)
            except NetlinkError as error:
                if (code := int(cast(Any, error).code)) != errno.ENOENT:
                    raise Refused(f"forget a connection of {connection.client}", code) from error


def _connection(message: Any) -> Connection | None:
    mark = message.get_attr("CTA_MARK")
    asked, answered = message.get_attr("CTA_TUPLE_ORIG"), message.get_attr("CTA_TUPLE_REPLY")
    if not mark or asked is None or answered is None:
        return None
    if asked.get_attr("CTA_TUPLE_PROTO").get_attr("CTA_PROTO_NUM") != socket.IPPROTO_TCP:
        return None
    client, client_port, server, server_port = _ends(asked)
    far, far_port, seen, seen_port = _ends(answered)
    return Connection(
        client=client,
        client_port=client_port,
        server=server,
        server_port=server_port,
        far=far,
        far_port=far_port,
        seen=seen,
        seen_port=seen_port,
        mark=mark,
        established=_state(message) == _ESTABLISHED,
    )


def _ends(end: Any) -> tuple[str, int, str, int]:
    ip, port = end.get_attr("CTA_TUPLE_IP"), end.get_attr("CTA_TUPLE_PROTO")
    version = "V4" if ip.get_attr("CTA_IP_V4_SRC") else "V6"
    return (
        str(ip.get_attr(f"CTA_IP_{version}_SRC")),
        int(port.get_attr("CTA_PROTO_SRC_PORT")),
        str(ip.get_attr(f"CTA_IP_{version}_DST")),
        int(port.get_attr("CTA_PROTO_DST_PORT")),
    )


def _state(message: Any) -> int | None:
    info = message.get_attr("CTA_PROTOINFO")
    tcp = info.get_attr("CTA_PROTOINFO_TCP") if info is not None else None
    return None if tcp is None else tcp.get_attr("CTA_PROTOINFO_TCP_STATE")
