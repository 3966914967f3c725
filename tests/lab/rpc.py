"""ONC RPC (RFC 5531) over TCP, from any network namespace."""

import itertools
import socket
import struct

from tests.lab.netns import in_thread
from tests.lab.xdr import Packer, Unpacker

CALL, REPLY = 0, 1
AUTH_NONE, AUTH_SYS = 0, 1
LAST_FRAGMENT = 0x80000000
ACCEPT_ERRORS = ("SUCCESS", "PROG_UNAVAIL", "PROG_MISMATCH", "PROC_UNAVAIL", "GARBAGE_ARGS")


class RpcError(Exception):
    """The server refused the call itself, before anything of NFS in it was looked at."""


class Rpc:
    """One TCP connection to one program."""

    def __init__(
        self,
        server: str,
        port: int,
        program: int,
        version: int,
        *,
        source: str | None = None,
        netns: str | None = None,
        uid: int = 0,
        gid: int = 0,
        timeout: float = 10,
    ) -> None:
        self._program, self._version = program, version
        self._xids = itertools.count(1)
        family = socket.AF_INET6 if ":" in server else socket.AF_INET
        # A socket stays in the namespace it was made in, so only making it happens there.
        self._socket = in_thread(netns, lambda: socket.socket(family, socket.SOCK_STREAM))
        self._socket.settimeout(timeout)
        try:
            if source:
                self._socket.bind((source, 0))
            self._socket.connect((server, port))
        except OSError:
            self._socket.close()
            raise
        who = Packer().u32(0).text("lab").u32(uid, gid, 0).bytes()
        self._credential = Packer().u32(AUTH_SYS).opaque(who).u32(AUTH_NONE, 0).bytes()

    def call(self, procedure: int, arguments: bytes = b"") -> Unpacker:
        """The results of the call."""
        wanted = self.send(procedure, arguments)
        while True:
            # Any other is an answer that came after its call was given up.
            xid, reply = self.receive()
            if xid == wanted:
                return accepted(reply)

    def send(self, procedure: int, arguments: bytes) -> int:
        """The number of the call, which is on its way."""
        xid = next(self._xids)
        head = Packer().u32(xid, CALL, 2, self._program, self._version, procedure).bytes()
        message = head + self._credential + arguments
        self._socket.sendall(struct.pack(">I", LAST_FRAGMENT | len(message)) + message)
        return xid

    def receive(self) -> tuple[int, Unpacker]:
        """The next answer that comes: its call's number, and what was answered."""
        while True:
            reply = Unpacker(self._record())
            xid = reply.u32()
            if reply.u32() == REPLY:
                return xid, reply

    def close(self) -> None:
        """The connection is closed."""
        self._socket.close()

    def _record(self) -> bytes:
        parts: list[bytes] = []
        last = False
        while not last:
            (mark,) = struct.unpack(">I", self._exactly(4))
            last = bool(mark & LAST_FRAGMENT)
            parts.append(self._exactly(mark & ~LAST_FRAGMENT))
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _exactly(self, length: int) -> bytes:
        data, at = bytearray(length), 0
        with memoryview(data) as view:
            while at < length:
                got = self._socket.recv_into(view[at:])
                if not got:
                    raise ConnectionResetError("the server closed the connection")
                at += got
        return bytes(data)


def accepted(reply: Unpacker) -> Unpacker:
    """The results in an answer; RpcError when the call was not taken."""
    if reply.u32() != 0:
        raise RpcError(f"call denied: {'AUTH_ERROR' if reply.u32() else 'RPC_MISMATCH'}")
    reply.u32()
    reply.opaque()
    status = reply.u32()
    if status != 0:
        name = ACCEPT_ERRORS[status] if status < len(ACCEPT_ERRORS) else str(status)
        raise RpcError(f"call not executed: {name}")
    return reply
