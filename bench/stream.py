"""One NFSv4.1 client that moves a file in pieces of 1 MiB, in a process and a namespace of its own:

    python -m bench.stream NETNS SERVER EXPORT FILE read|write MIB

It says "ready" when the file is open, begins at a line on its standard input, and says "done" when
the server has sent or has got all of it. Some requests are always under way, as with a kernel's
client. Writes are not made durable: a disk would be measured.
"""

import sys

from tests.lab.nfs4 import Client, Open, _put
from tests.lab.nfs4_const import Op
from tests.lab.nfs4_session import COMPOUND, MINOR, Call
from tests.lab.rpc import accepted
from tests.lab.xdr import Packer

MIB = 1 << 20
_UNSTABLE = 0


class Stream(Client):
    """Its requests may be a little more than what they carry."""

    largest = MIB + 8192
    slots = 4

    def move(self, file: Open, way: str, count: int) -> None:
        """So many pieces were read or written, one after the other."""
        numbers = [self._sequence, *[0] * (self.slots - 1)]
        free, under_way = list(range(self.slots)), dict[int, int]()
        data = b"x" * MIB
        for piece in range(count):
            if not free:
                free.append(self._hear(under_way, way))
            slot = free.pop()
            numbers[slot] += 1
            place = Packer().fixed(file.stateid).u64(piece * MIB)
            if way == "read":
                call = (Op.READ, place.u32(MIB).bytes())
            else:
                call = (Op.WRITE, place.u32(_UNSTABLE).opaque(data).bytes())
            under_way[self._say(slot, numbers[slot], (_put(file.handle), call))] = slot
        while under_way:
            self._hear(under_way, way)
        self._sequence = numbers[0]

    def _say(self, slot: int, number: int, calls: tuple[Call, ...]) -> int:
        assert self._session is not None
        head = Packer().fixed(self._session).u32(number, slot, self.slots - 1, 0).bytes()
        message = Packer().text("").u32(MINOR, len(calls) + 1)
        for operation, arguments in ((Op.SEQUENCE, head), *calls):
            message.u32(operation).fixed(arguments)
        return self._rpc.send(COMPOUND, message.bytes())

    def _hear(self, under_way: dict[int, int], way: str) -> int:
        """The slot that is free again."""
        xid, reply = self._rpc.receive()
        status = accepted(reply).u32()
        assert status == 0, f"the server says {status}"
        assert way == "write" or reply.size >= MIB, f"an answer of {reply.size} bytes"
        return under_way.pop(xid)


def main(netns: str, server: str, export: str, name: str, way: str, count: str) -> None:
    """The file was moved once."""
    with Stream(server, netns=netns, timeout=60) as client:
        file = client.open(client.lookup(export), name, write=True, create=True)
        print("ready", flush=True)
        sys.stdin.readline()
        client.move(file, way, int(count))
        print("done", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
