"""A raw NFSv4.1 client: sends whatever a test wants, forged handles too.

with Client("10.0.0.1", netns="rs-1-c0") as client:
    share = client.lookup("/share")
    client.readdir(share)
    client.read(client.lookup("/share/file"), 0, 100)
"""

from dataclasses import dataclass

from tests.lab.nfs4_const import Op, decode_attributes, encode_mode, numbers
from tests.lab.nfs4_session import Call, NfsError, Session
from tests.lab.xdr import Packer

__all__ = ["Client", "Entry", "NfsError", "Open"]

READ_ACCESS, WRITE_ACCESS, WANT_NO_DELEGATION = 1, 2, 0x400
ACCESS_BITS = {"read": 1, "lookup": 2, "modify": 4, "extend": 8, "delete": 16, "execute": 32}
FILE_SYNC = 2
# For reading and writing without an open: the server checks only access.
ANONYMOUS = bytes(16)


@dataclass(frozen=True)
class Open:
    """An open file."""

    handle: bytes
    stateid: bytes


@dataclass(frozen=True)
class Entry:
    """A directory's entry."""

    name: str
    handle: bytes
    kind: str


class Client(Session):
    """Files and directories by handle; every refusal of the server is an NfsError."""

    def lookup(self, path: str) -> bytes:
        """The handle of the path, by names from the server's root."""
        steps = [_lookup(name) for name in path.split("/") if name]
        answer = self.compound((Op.PUTROOTFH, b""), *steps, (Op.GETFH, b""))
        return answer.opaque()

    def child(self, handle: bytes, name: str) -> bytes:
        """The handle of a name in the directory."""
        return self.compound(_put(handle), _lookup(name), (Op.GETFH, b"")).opaque()

    def parent(self, handle: bytes) -> bytes:
        """The handle of the directory that the directory is in."""
        return self.compound(_put(handle), (Op.LOOKUPP, b""), (Op.GETFH, b"")).opaque()

    def getattr(self, handle: bytes, *names: str) -> dict[str, object]:
        """These attributes (type, size, fileid and fsid unless told)."""
        wanted = numbers(names or ("type", "size", "fileid", "fsid"))
        query = (Op.GETATTR, Packer().bitmap(wanted).bytes())
        return decode_attributes(self.compound(_put(handle), query))

    def access(self, handle: bytes) -> set[str]:
        """What the server says this client may do."""
        query = (Op.ACCESS, Packer().u32(sum(ACCESS_BITS.values())).bytes())
        answer = self.compound(_put(handle), query)
        answer.u32()
        granted = answer.u32()
        return {name for name, bit in ACCESS_BITS.items() if granted & bit}

    def readdir(self, handle: bytes) -> list[Entry]:
        """All entries of the directory, in the server's order."""
        entries: list[Entry] = []
        cookie, verifier, done = 0, bytes(8), False
        while not done:
            head = Packer().u64(cookie).fixed(verifier).u32(8192, 32768)
            query = (Op.READDIR, head.bitmap(numbers(("type", "handle"))).bytes())
            answer = self.compound(_put(handle), query)
            verifier = answer.fixed(8)
            while answer.flag():
                cookie, name = answer.u64(), answer.text()
                found = decode_attributes(answer)
                entry_handle, kind = found.get("handle", b""), found.get("type", "other")
                assert isinstance(entry_handle, bytes)
                entries.append(Entry(name, entry_handle, str(kind)))
            done = answer.flag()
        return entries

    def open(
        self, directory: bytes, name: str, *, write: bool = False, create: bool = False
    ) -> Open:
        """The file of this name is open; with create, it was made if it did not exist."""
        wanted = READ_ACCESS | (WRITE_ACCESS if write else 0) | WANT_NO_DELEGATION
        call = Packer().u32(0, wanted, 0).u64(self.clientid).opaque(self.owner)
        if create:
            call.u32(1, 0).fixed(encode_mode(0o644))
        else:
            call.u32(0)
        call.u32(0).text(name)
        stateid = self.compound(_put(directory), (Op.OPEN, call.bytes())).fixed(16)
        return Open(self.child(directory, name), stateid)

    def read(self, file: bytes | Open, offset: int, length: int) -> bytes:
        """At most so many bytes of the file; a bare handle is read without opening it."""
        handle, stateid = _state(file)
        call = Packer().fixed(stateid).u64(offset).u32(length).bytes()
        answer = self.compound(_put(handle), (Op.READ, call))
        answer.flag()
        return answer.opaque()

    def write(self, file: bytes | Open, offset: int, data: bytes) -> int:
        """So many bytes are on the server's disk."""
        handle, stateid = _state(file)
        call = Packer().fixed(stateid).u64(offset).u32(FILE_SYNC).opaque(data).bytes()
        return self.compound(_put(handle), (Op.WRITE, call)).u32()

    def close_file(self, file: Open) -> None:
        """The file is not open any more."""
        self.compound(_put(file.handle), (Op.CLOSE, Packer().u32(0).fixed(file.stateid).bytes()))

    def remove(self, directory: bytes, name: str) -> None:
        """The directory has no such name."""
        self.compound(_put(directory), (Op.REMOVE, Packer().text(name).bytes()))


def _put(handle: bytes) -> Call:
    return Op.PUTFH, Packer().opaque(handle).bytes()


def _lookup(name: str) -> Call:
    return Op.LOOKUP, Packer().text(name).bytes()


def _state(file: bytes | Open) -> tuple[bytes, bytes]:
    return (file, ANONYMOUS) if isinstance(file, bytes) else (file.handle, file.stateid)
