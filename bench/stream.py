"""One NFSv4.1 client that moves a file in pieces of 1 MiB, in a process and a namespace of its own:

    python -m bench.stream NETNS SERVER EXPORT FILE read|write MIB

It says "ready" when the file is open, begins at a line on its standard input, and says "done" when
all of it is read, or on the server's disk.
"""

import sys
from collections.abc import Callable

from tests.lab.nfs4 import Client, Open, _put
from tests.lab.nfs4_const import Op
from tests.lab.xdr import Packer

MIB = 1 << 20
_UNSTABLE = 0


class Stream(Client):
    """Its requests may be a little more than what they carry."""

    largest = MIB + 8192

    def write_soon(self, file: Open, offset: int, data: bytes) -> None:
        """The server has the bytes; on its disk they are after `commit`."""
        call = Packer().fixed(file.stateid).u64(offset).u32(_UNSTABLE).opaque(data).bytes()
        written = self.compound(_put(file.handle), (Op.WRITE, call)).u32()
        assert written == len(data), f"{written} bytes of {len(data)}"

    def commit(self, file: Open) -> None:
        """What was written is on the server's disk."""
        self.compound(_put(file.handle), (Op.COMMIT, Packer().u64(0).u32(0).bytes()))


def main(netns: str, server: str, export: str, name: str, way: str, count: str) -> None:
    """The file was moved once."""
    with Stream(server, netns=netns, timeout=60) as client:
        directory = client.lookup(export)
        file = client.open(directory, name, write=True, create=True)
        print("ready", flush=True)
        sys.stdin.readline()
        _WAYS[way](client, file, int(count))
        print("done", flush=True)


def _read(client: Stream, file: Open, count: int) -> None:
    for number in range(count):
        got = len(client.read(file, number * MIB, MIB))
        assert got == MIB, f"{got} bytes of {MIB}"


def _write(client: Stream, file: Open, count: int) -> None:
    data = b"x" * MIB
    for number in range(count):
        client.write_soon(file, number * MIB, data)
    client.commit(file)


_WAYS: dict[str, Callable[[Stream, Open, int], None]] = {"read": _read, "write": _write}

if __name__ == "__main__":
    main(*sys.argv[1:])
