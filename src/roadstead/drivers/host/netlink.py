"""Network devices, addresses and routes of one namespace, over rtnetlink(7).

`within` runs a function in a namespace; every change it makes passes `act`, one at a time.
"""

import contextlib
import errno
import ipaddress
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec
from pyroute2 import IPBatch, IPRoute  # pyright: ignore[reportMissingTypeStubs]
from pyroute2.netlink.exceptions import (  # pyright: ignore[reportMissingTypeStubs]
    NetlinkError,
)

from roadstead.drivers.host import netns
from roadstead.model.errors import DriverError, NotFound

T = TypeVar("T")
_GONE = (errno.ENODEV, errno.ENOENT, errno.ESRCH, errno.EADDRNOTAVAIL)
_NODAD = 0x02  # IFA_F_NODAD; the database hands an address out once
_STATIC = 4  # RTPROT_STATIC
_PERMANENT, _SELF = 0x80, 0x02  # NUD_PERMANENT, NTF_SELF
_ANYBODY = "00:00:00:00:00:00"  # where a vxlan device sends what has no known remote
_MAIN = 254
_RULE_PRIORITY = 1000
_FORWARDING = 3  # BR_STATE_FORWARDING
_PATIENCE = 2.0  # seconds; the kernel looks at carriers once a second at the least


class Refused(DriverError):
    """The kernel said no; `code` is its errno."""

    def __init__(self, what: str, code: int) -> None:
        super().__init__(f"{what}: {os.strerror(code)}")
        self.code = code


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A network device."""

    index: int
    name: str
    kind: str  # bridge, veth, vxlan, vlan, …; "" for a physical one
    mac: str
    mtu: int
    up: bool
    alias: str | None = None
    master: int | None = None  # index of the bridge it is a port of
    forwarding: bool = False  # as a bridge port


def within(name: str | None, call: "Callable[[Netlink], T]") -> T:
    """What the call returned in the namespace of that name below /run/netns; None = our own.

    NotFound when there is no such namespace. Programs the call starts run inside, too.
    """

    def enter() -> None:
        if name is not None:
            netns.enter(name)

    return in_thread(enter, call)


def in_thread(enter: Callable[[], None], call: "Callable[[Netlink], T]") -> T:
    """What the call returned in a thread that has entered some namespace; it goes with it."""
    outcome: list[T] = []
    failed: list[BaseException] = []

    def body() -> None:
        try:
            enter()
            with IPRoute() as route:
                outcome.append(call(Netlink(route)))
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=body, name="netlink")
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return outcome[0]


def act(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The one gate through which this package changes the kernel's networks."""
    return call(*args, **kwargs)


def write_sysctls(values: Mapping[str, str]) -> None:
    """The calling thread's namespace has these settings; one that the kernel lacks is skipped."""
    for key, value in values.items():
        with contextlib.suppress(FileNotFoundError):
            Path("/proc/sys/net", key).write_text(value)


class Netlink:
    """One namespace. Only for the thread that made it."""

    def __init__(self, route: Any) -> None:
        self._route = route

    # devices

    def find(self, name: str) -> Link | None:
        """The device of that name."""
        try:
            found = self._route.link("get", ifname=name)
        except NetlinkError as error:
            if (code := _code(error)) in _GONE:
                return None
            raise Refused(name, code) from error
        return _link(found[0]) if found else None

    def get(self, name: str) -> Link:
        """The device of that name; NotFound when there is none."""
        found = self.find(name)
        if found is None:
            raise NotFound(f"there is no network device {name}")
        return found

    def links(self) -> list[Link]:
        """Every device."""
        return [_link(message) for message in self._route.get_links()]

    def members(self, bridge: int) -> list[Link]:
        """The ports of the bridge."""
        return [_link(message) for message in self._route.get_links(master=bridge)]

    def ensure_link(self, name: str, mark: str, **spec: Any) -> Link:
        """A device of that name is there, with that mark from its first moment on.

        An existing one is left as it is: the caller compares. Refused as the kernel refuses.
        """
        found = self.find(name)
        if found is not None:
            return found
        # Both in one write: no kill can come between, as the kernel works it off as a whole.
        batch: Any = IPBatch()
        try:
            batch.link("add", ifname=name, **spec)
            batch.link("set", ifname=name, ifalias=mark)
            codes = act(_send, bytes(batch.batch), 2)
        finally:
            batch.close()
        if failed := [code for code in codes if code]:
            raise Refused(f"add {name}", failed[0])
        return self.get(name)

    def set_link(self, link: Link, **values: Any) -> None:
        """The device has these attributes."""
        self._change(f"set {link.name}", self._route.link, "set", index=link.index, **values)

    def wait_until_forwarding(self, name: str) -> None:
        """The bridge port carries frames, or has no carrier yet: the kernel notices that a device
        has one in its own time, and drops everything until then."""
        end = time.monotonic() + _PATIENCE
        while not self.get(name).forwarding and time.monotonic() < end:
            time.sleep(0.002)

    def ensure_link_absent(self, name: str) -> None:
        """There is no device of that name."""
        found = self.find(name)
        if found is not None:
            self._unless_gone(f"delete {name}", self._route.link, "del", index=found.index)

    # addresses

    def addresses(self, link: Link) -> list[str]:
        """Those of the device with prefix length, but for link-local ones."""
        found: list[str] = []
        for message in self._route.get_addr(index=link.index):
            text = f"{message.get('local') or message.get('address')}/{message['prefixlen']}"
            if not ipaddress.ip_interface(text).ip.is_link_local:
                found.append(text)
        return found

    def ensure_addresses(
        self, link: Link, wanted: Iterable[str], *, may_have: Iterable[str] = ()
    ) -> None:
        """The device has these addresses, usable at once, and none besides that it may not have."""
        there, wanted = set(self.addresses(link)), list(wanted)
        for text in sorted(there - {*wanted, *may_have}):
            address = ipaddress.ip_interface(text)
            self._change(
                f"remove {text} from {link.name}",
                self._route.addr,
                "del",
                index=link.index,
                prefixlen=address.network.prefixlen,
                address=str(address.ip),
            )
        for text in wanted:
            if text in there:
                continue
            address = ipaddress.ip_interface(text)
            spec: dict[str, Any] = {"address": str(address.ip)}
            if address.version == 6:
                spec["flags"] = _NODAD
            elif address.network.prefixlen < 31:
                spec["broadcast"] = str(address.network.broadcast_address)
            self._change(
                f"add {text} to {link.name}",
                self._route.addr,
                "add",
                index=link.index,
                prefixlen=address.network.prefixlen,
                **spec,
            )

    # routes

    def ensure_gateway(
        self, link: Link, gateway: str | None, *, addresses: Iterable[str], table: int
    ) -> None:
        """What is sent from the addresses leaves by this device: by the gateway, if any.

        Without rules by source, answers from one port's address would leave by another port's
        gateway, where nobody lets them pass.
        """
        self.ensure_gateway_absent(table)
        wanted = [ipaddress.ip_interface(address) for address in addresses]
        if gateway is None:
            return
        router = ipaddress.ip_address(gateway)
        family = _family(router.version)
        same = [address for address in wanted if address.version == router.version]
        common: dict[str, Any] = {"oif": link.index, "proto": _STATIC, "family": family}
        for address in same:
            connected = {"dst": str(address.network), "scope": 253, "table": table}
            self._change("route", self._route.route, "replace", **connected, **common)
        for where in ({"table": table}, {"table": _MAIN, "priority": 1024 + link.index}):
            default = {"dst": "default", "gateway": gateway, **where}
            self._change(f"gateway {gateway}", self._route.route, "replace", **default, **common)
        for address in same:
            rule = {"table": table, "priority": _RULE_PRIORITY, "src": str(address.ip)}
            self._change("rule", self._route.rule, "add", family=family, **rule)

    def ensure_gateway_absent(self, table: int) -> None:
        """No rule sends anything to the table."""
        for family in (socket.AF_INET, socket.AF_INET6):
            for rule in self._route.get_rules(family=family):
                if rule.get("table") == table or rule.get("FRA_TABLE") == table:
                    spec = {"table": table, "priority": _RULE_PRIORITY, "src": rule.get("src")}
                    self._unless_gone("rule", self._route.rule, "del", family=family, **spec)

    def flush_routes(self, link: Link) -> None:
        """The device has no routes but those that its addresses bring."""
        for family in (socket.AF_INET, socket.AF_INET6):
            for route in self._route.get_routes(family=family, oif=link.index, proto=_STATIC):
                where = {"table": route.get("table"), "scope": route["scope"]}
                spec = {"dst": _destination(route), "oif": link.index, **where}
                self._unless_gone("route", self._route.route, "del", family=family, **spec)

    # where a vxlan device floods to

    def ensure_remotes(self, link: Link, wanted: Iterable[str]) -> None:
        """Frames for nobody known go to exactly these underlay addresses."""
        left = {str(ipaddress.ip_address(address)) for address in wanted}
        for entry in self._route.fdb("dump", ifindex=link.index):
            remote = entry.get("dst") or entry.get("NDA_DST")
            if entry.get("lladdr") != _ANYBODY or remote is None:
                continue
            if remote in left:
                left.discard(remote)
            else:
                self._fdb("del", link, remote)
        for address in sorted(left):
            self._fdb("append", link, address)

    def _fdb(self, verb: str, link: Link, remote: str) -> None:
        entry = {"lladdr": _ANYBODY, "dst": remote, "state": _PERMANENT, "flags": _SELF}
        self._change(f"remote {remote}", self._route.fdb, verb, ifindex=link.index, **entry)

    def _change(self, what: str, call: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        try:
            act(call, *args, **kwargs)
        except NetlinkError as error:
            raise Refused(what, _code(error)) from error

    def _unless_gone(self, what: str, call: Callable[..., Any], *args: Any, **kw: Any) -> None:
        try:
            self._change(what, call, *args, **kw)
        except Refused as error:
            if error.code not in _GONE:
                raise


def _send(requests: bytes, count: int) -> list[int]:
    """The errno (0 = done) of each request, sent from the calling thread's namespace."""
    codes: list[int] = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        kernel.send(requests)
        while len(codes) < count:
            answers = kernel.recv(65536)
            while answers:  # struct nlmsghdr (16 bytes), then the error of struct nlmsgerr
                length, error = struct.unpack_from("=I12xi", answers)
                codes.append(-error)
                answers = answers[(length + 3) & ~3 :]
    return codes


def _code(error: NetlinkError) -> int:
    return int(cast(Any, error).code)


def _link(message: Any) -> Link:
    return Link(
        index=message["index"],
        name=message.get("ifname"),
        kind=message.get(("linkinfo", "kind")) or "",
        mac=message.get("address") or "",
        mtu=message.get("mtu"),
        up=bool(message["flags"] & 1),
        alias=message.get("ifalias"),
        master=message.get("master"),
        forwarding=message.get(("linkinfo", "slave_data", "state")) == _FORWARDING,
    )


def _family(version: int) -> socket.AddressFamily:
    return socket.AF_INET if version == 4 else socket.AF_INET6


def _destination(route: Any) -> str:
    return f"{route.get('dst')}/{route['dst_len']}" if route.get("dst") else "default"
