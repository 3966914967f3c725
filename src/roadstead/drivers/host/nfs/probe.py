"""A client of NFSv4.1 (RFC 8881) that can do one thing: look a path up and read what it is.

It asks as any client would, EXCHANGE_ID, CREATE_SESSION, then one COMPOUND, and leaves nothing in
the server. What it gets is the answer that a client at its address would get.
"""

import itertools
import os
import socket
import struct
import time

from roadstead.drivers.host import netns as namespaces
from roadstead.model.world import Attempt

_PROGRAM, _VERSION, _MINOR, _COMPOUND = 100003, 4, 1, 1
_LAST_FRAGMENT = 0x80000000
_MOST_BYTES = 1 << 20
_DIRECTORY = 2
_GETATTR, _LOOKUP, _PUTROOTFH = 9, 15, 24
_EXCHANGE_ID, _CREATE_SESSION, _DESTROY_SESSION, _SEQUENCE, _DESTROY_CLIENTID = 42, 43, 44, 53, 57
_NAMES = {
    1: "PERM", 2: "NOENT", 5: "IO", 13: "ACCESS", 20: "NOTDIR", 22: "INVAL", 70: "STALE",
    10004: "NOTSUPP", 10006: "SERVERFAULT", 10008: "DELAY", 10013: "GRACE", 10016: "WRONGSEC",
    10021: "MINOR_VERS_MISMATCH", 10022: "STALE_CLIENTID", 10052: "BADSESSION",
}  # fmt: skip
_OPERATIONS = {
    9: "GETATTR", 15: "LOOKUP", 24: "PUTROOTFH", 42: "EXCHANGE_ID", 43: "CREATE_SESSION",
    53: "SEQUENCE",
}  # fmt: skip
# How a server says "not for you": it may also hide the path.
_REFUSALS = frozenset((1, 2, 13, 10016))


class _Denied(Exception):
    """The server refused the call itself (RFC 5531: MSG_DENIED)."""


class _Status(Exception):
    """An operation was answered with an error."""

    def __init__(self, status: int, operation: int) -> None:
        super().__init__(f"{_OPERATIONS.get(operation, operation)}: {_name(status)}")
        self.status = status
        self.operation = operation


def attempt(
    server: str,
    port: int,
    *,
    source: str,
    netns: str | None,
    path: str,
    name: str = "",
    timeout: float = 5.0,
) -> Attempt:
    """What a client at `source` gets that looks up `path`, and that `name` in it, within about
    `timeout` seconds."""
    began = time.monotonic()
    outcome, status, detail = _outcome(server, port, source, netns, path, name, timeout)
    return Attempt(
        server=server,
        source=source,
        outcome=outcome,
        milliseconds=round((time.monotonic() - began) * 1000, 1),
        nfs_status=status,
        detail=detail[:400],
    )


def _outcome(
    server: str, port: int, source: str, netns: str | None, path: str, name: str, timeout: float
) -> tuple[str, str | None, str]:
    try:
        with _Client(server, port, source, netns, path, timeout) as client:
            kind = client.kind(name)
    except _Denied as error:
        return "refused", None, str(error)
    except _Status as error:
        looked = error.operation in (_PUTROOTFH, _LOOKUP, _GETATTR)
        refused = looked and error.status in _REFUSALS
        return "refused" if refused else "error", _name(error.status), str(error)
    except (OSError, EOFError, struct.error) as error:
        return "error", None, f"{type(error).__name__}: {error}"
    if kind != _DIRECTORY:
        return "error", "NFS4_OK", f"its root is no directory but of type {kind}"
    return "admitted", "NFS4_OK", ""


def _name(status: int) -> str:
    return f"NFS4ERR_{_NAMES.get(status, status)}"


class _Client:
    """One connection, and a session from `kind` on; the server forgets both at the end."""

    def __init__(
        self, server: str, port: int, source: str, netns: str | None, path: str, timeout: float
    ) -> None:
        family = socket.AF_INET6 if ":" in server else socket.AF_INET
        self._until = time.monotonic() + timeout
        self._xids = itertools.count(1)
        self._client_id: int | None = None
        self._session: bytes | None = None
        self._path = path
        # The same each time, so that what a killed probe leaves is replaced by the next one.
        self._owner = f"roadstead probe of {path} from {source}".encode()
        self._socket = namespaces.tcp_socket(netns, family)
        try:
            self._socket.settimeout(timeout)
            self._socket.bind((source, 0))
            self._socket.connect((server, port))
        except OSError:
            self._socket.close()
            raise

    def __enter__(self) -> "_Client":
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if self._session is not None:
                self._compound((_DESTROY_SESSION, self._session))
            if self._client_id is not None:
                self._compound((_DESTROY_CLIENTID, _u64(self._client_id)))
        except (OSError, EOFError, struct.error, _Status, _Denied):
            pass  # the lease ends it
        finally:
            self._socket.close()

    def kind(self, child: str = "") -> int:
        """The type (nfs_ftype4) of what is at the path, seen from the server's root; of the child
        of that name, if there is one."""
        session = self._begin_session()
        names = [name for name in (*self._path.split("/"), child) if name]
        answer = self._compound(
            (_SEQUENCE, session + _u32(1, 0, 0, 0)),
            (_PUTROOTFH, b""),
            *((_LOOKUP, _opaque(name.encode())) for name in names),
            (_GETATTR, _u32(1, 1 << 1)),  # a bitmap of one word: type
        )
        words = answer.u32()
        answer.fixed(4 * words)
        return _Answer(answer.opaque()).u32()

    def _begin_session(self) -> bytes:
        hello = os.urandom(8) + _opaque(self._owner) + _u32(0, 0, 0)
        answer = self._compound((_EXCHANGE_ID, hello))
        self._client_id, sequence = answer.u64(), answer.u32()
        fore, back = (0, 65536, 65536, 8192, 16, 1, 0), (0, 4096, 4096, 0, 2, 1, 0)
        # A callback program that nobody calls, for which no authentication is needed.
        create = _u64(self._client_id) + _u32(sequence, 0, *fore, *back, 0x40000000, 1, 0)
        self._session = self._compound((_CREATE_SESSION, create)).fixed(16)
        return self._session

    def _compound(self, *calls: tuple[int, bytes]) -> "_Answer":
        """What follows the status of the last operation; _Status when one of them failed."""
        body = b"".join(_u32(number) + arguments for number, arguments in calls)
        answer = self._call(_opaque(b"") + _u32(_MINOR, len(calls)) + body)
        answer.u32()
        answer.opaque()
        for position in range(1, answer.u32() + 1):
            number, status = answer.u32(), answer.u32()
            if status:
                raise _Status(status, number)
            if position == len(calls):
                return answer
            if number == _SEQUENCE:  # the others in the middle answer nothing more
                answer.fixed(36)
        raise EOFError("the server answered fewer operations than asked")

    def _call(self, arguments: bytes) -> "_Answer":
        xid = next(self._xids)
        who = _u32(0) + _opaque(b"roadstead") + _u32(0, 0, 0)
        head = _u32(xid, 0, 2, _PROGRAM, _VERSION, _COMPOUND, 1) + _opaque(who) + _u32(0, 0)
        message = head + arguments
        self._socket.sendall(_u32(_LAST_FRAGMENT | len(message)) + message)
        reply = _Answer(self._record())
        if (reply.u32(), reply.u32()) != (xid, 1):
            raise EOFError("an answer to something else")
        if reply.u32():
            raise _Denied("the server denied the call")
        reply.u32()
        reply.opaque()
        if accepted := reply.u32():
            raise EOFError(f"the server did not execute the call (accept status {accepted})")
        return reply

    def _record(self) -> bytes:
        record, last = b"", False
        while not last:
            (mark,) = struct.unpack(">I", self._exactly(4))
            last, length = bool(mark & _LAST_FRAGMENT), mark & ~_LAST_FRAGMENT
            if len(record) + length > _MOST_BYTES:
                raise EOFError("the answer is too long")
            record += self._exactly(length)
        return record

    def _exactly(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            self._socket.settimeout(max(0.001, self._until - time.monotonic()))
            part = self._socket.recv(length - len(data))
            if not part:
                raise EOFError("the server closed the connection")
            data += part
        return data


class _Answer:
    """Takes values off the front of an answer (XDR, RFC 4506); EOFError when it is too short."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def fixed(self, length: int) -> bytes:
        part = self._data[self._at : self._at + length]
        if len(part) != length:
            raise EOFError("the answer ends too early")
        self._at += length + -length % 4
        return part

    def u32(self) -> int:
        return int.from_bytes(self.fixed(4), "big")

    def u64(self) -> int:
        return int.from_bytes(self.fixed(8), "big")

    def opaque(self) -> bytes:
        return self.fixed(self.u32())


def _u32(*values: int) -> bytes:
    return struct.pack(f">{len(values)}I", *values)


def _u64(value: int) -> bytes:
    return struct.pack(">Q", value)


def _opaque(data: bytes) -> bytes:
    return _u32(len(data)) + data + bytes(-len(data) % 4)
