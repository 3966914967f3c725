"""The end of a port that is in the share server's namespace."""

import hashlib

from roadstead.drivers.host.netlink import Netlink, write_sysctls
from roadstead.drivers.network.checks import normal
from roadstead.model import networks as n


def configure(links: Netlink, spec: n.PortSpec, port: n.Port, *, mark: str) -> None:
    """The port's end inside has its mark, MTU, addresses and routes, and is up."""
    end = links.get(port.interface)
    write_sysctls({f"ipv6/conf/{end.name}/accept_ra": "0"})
    if end.alias != mark:
        links.set_link(end, ifalias=mark)
    if end.mtu != port.mtu:
        links.set_link(end, mtu=port.mtu)
    links.ensure_addresses(end, port.addresses, may_have=normal(spec.guests))
    if not end.up:
        links.set_link(end, state="up")
    if spec.gateway is None:
        links.flush_routes(end)
    speaks = (*port.addresses, *normal(spec.guests))
    links.ensure_gateway(end, spec.gateway, addresses=speaks, table=gateway_table(spec.id))


def gateway_table(port_id: str) -> int:
    """The number of a port's own routing table: beyond the kernel's, the same for the same port."""
    return 1000 + int.from_bytes(hashlib.blake2s(port_id.encode(), digest_size=3).digest())
