"""Frames as they are on a device: captured and made by hand, without any program."""

import contextlib
import ipaddress
import socket
import struct
import threading

from tests.lab.netns import in_thread
from tests.waiting import until

ETH_P_ALL = 3
SOL_PACKET, PACKET_AUXDATA, TP_STATUS_VLAN_VALID = 263, 8, 1 << 4
BROADCAST = "ff:ff:ff:ff:ff:ff"


class Capture:
    """What a device of a namespace sent and received between enter and exit."""

    def __init__(self, netns: str, device: str) -> None:
        self.frames: list[bytes] = []
        self._socket = in_thread(netns, lambda: _packet_socket(device))
        self._socket.settimeout(0.1)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read, name=f"capture-{device}")

    def __enter__(self) -> "Capture":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._socket.close()

    def wait_for(self, payload: bytes, *, timeout: float = 10.0) -> None:
        """A frame with the payload was seen."""
        until(
            lambda: any(payload in frame for frame in self.frames), f"a frame with {payload!r}",
            seconds=timeout, why=lambda: f"{len(self.frames)} other frames",
        )  # fmt: skip

    def vlans(self, payload: bytes) -> set[int | None]:
        """The VLAN ids (None: untagged) of all frames that contain the payload."""
        return {_vlan(frame) for frame in self.frames if payload in frame}

    def vnis(self, payload: bytes, *, port: int = 4789) -> set[int]:
        """The VNIs of all VXLAN frames over IPv4 that contain the payload (RFC 7348 §5)."""
        found: set[int] = set()
        for frame in self.frames:
            if payload in frame and frame[12:14] == b"\x08\x00" and frame[23] == socket.IPPROTO_UDP:
                udp = 14 + (frame[14] & 15) * 4
                if struct.unpack_from("!H", frame, udp + 2) == (port,):
                    found.add(int.from_bytes(frame[udp + 12 : udp + 15]))
        return found

    def _read(self) -> None:
        while not self._ended.is_set():
            with contextlib.suppress(TimeoutError):
                data, more, _, _ = self._socket.recvmsg(65536, 256)
                self.frames.append(_with_tag(data, more))


def ipv4_ends(frame: bytes) -> tuple[str, ...]:
    """Source and destination of an untagged IPv4 frame; () of others."""
    if frame[12:14] != b"\x08\x00":
        return ()
    return tuple(str(ipaddress.ip_address(frame[i : i + 4])) for i in (26, 30))


def _packet_socket(device: str) -> socket.socket:
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    made.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    made.bind((device, ETH_P_ALL))
    return made


def _with_tag(data: bytes, more: list[tuple[int, int, bytes]]) -> bytes:
    """The frame as it was on the wire: the kernel hands its VLAN tag out beside it."""
    for level, kind, value in more:
        if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
            status, _, _, _, _, tci, tpid = struct.unpack_from("IIIHHHH", value)
            if status & TP_STATUS_VLAN_VALID:
                return data[:12] + struct.pack("!HH", tpid or 0x8100, tci) + data[12:]
    return data


def _vlan(frame: bytes) -> int | None:
    kind, tci = struct.unpack_from("!HH", frame, 12)
    return tci & 0xFFF if kind == 0x8100 else None


def send(netns: str, device: str, *frames: bytes) -> None:
    """The frames leave by the device, whatever they claim."""
    with in_thread(netns, lambda: _packet_socket(device)) as out:
        for frame in frames:
            out.send(frame)


def ethernet(
    source: str, target: str, kind: int, payload: bytes, *, vlan: int | None = None
) -> bytes:
    """An Ethernet frame, tagged if wanted."""
    tag = b"" if vlan is None else struct.pack("!HH", 0x8100, vlan)
    return _mac(target) + _mac(source) + tag + struct.pack("!H", kind) + payload


def arp(mac: str, address: str, target: str, *, sender: str | None = None) -> bytes:
    """A broadcast ARP answer by which `address` is at `mac`; `sender` sends it (RFC 826)."""
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 2) + _mac(mac) + _four(address)
    body += _mac(BROADCAST) + _four(target)
    return ethernet(sender or mac, BROADCAST, 0x0806, body)


def udp(
    mac: str,
    address: str,
    target: str,
    payload: bytes,
    *,
    to: str = BROADCAST,
    port: int = 9,
    vlan: int | None = None,
) -> bytes:
    """A frame with a UDP packet of IPv4 or IPv6, to all or one MAC."""
    here, there = ipaddress.ip_address(address), ipaddress.ip_address(target)
    length = 8 + len(payload)
    if here.version == 6:
        body = struct.pack("!HHHH", port, port, length, 0) + payload
        head = struct.pack("!IHBB", 6 << 28, length, 17, 64) + here.packed + there.packed
        return ethernet(mac, to, 0x86DD, head + body, vlan=vlan)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0, 64, 17, 0)
    head += here.packed + there.packed
    head = head[:10] + struct.pack("!H", _checksum(head)) + head[12:]
    body = struct.pack("!HHHH", port, port, length, 0) + payload
    return ethernet(mac, to, 0x0800, head + body, vlan=vlan)


def advertisement(mac: str, source: str, target: str) -> bytes:
    """A neighbour advertisement to all by which `target` is at `mac` (RFC 4861 §4.4)."""
    body = struct.pack("!BBHI", 136, 0, 0, 0x20000000) + ipaddress.IPv6Address(target).packed
    return _icmp6(mac, source, body + b"\x02\x01" + _mac(mac))


def router(mac: str, source: str) -> bytes:
    """A router advertisement to all (RFC 4861 §4.2)."""
    return _icmp6(mac, source, struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0))


def _icmp6(mac: str, source: str, body: bytes) -> bytes:
    here, everybody = ipaddress.IPv6Address(source), ipaddress.IPv6Address("ff02::1")
    pseudo = here.packed + everybody.packed + struct.pack("!II", len(body), 58)
    body = body[:2] + struct.pack("!H", _checksum(pseudo + body)) + body[4:]
    head = struct.pack("!IHBB", 6 << 28, len(body), 58, 255) + here.packed + everybody.packed
    return ethernet(mac, "33:33:00:00:00:01", 0x86DD, head + body)


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def _four(text: str) -> bytes:
    return ipaddress.IPv4Address(text).packed


def _checksum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data + b"\0" * (len(data) % 2)))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF
