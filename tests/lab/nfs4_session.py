"""A session of NFSv4.1: compounds go through it, whatever is in them."""

import os
from typing import Self

from tests.lab.nfs4_const import STATUS, Op
from tests.lab.rpc import Rpc, RpcError
from tests.lab.xdr import Packer, Unpacker

PROGRAM, VERSION, MINOR = 100003, 4, 1
NULL, COMPOUND = 0, 1

Call = tuple[Op, bytes]


class NfsError(Exception):
    """The server answered one operation with an error."""

    def __init__(self, status_name: str, status: int, operation: str) -> None:
        super().__init__(status_name, status, operation)
        self.status_name = status_name
        self.status = status
        self.operation = operation

    def __str__(self) -> str:
        return f"{self.operation}: NFS4ERR_{self.status_name} ({self.status})"


class Session:
    """One session on one connection, from its construction until close."""

    largest = 1 << 20  # bytes of a request and of an answer
    slots = 1  # how many requests may be under way

    def __init__(
        self,
        server: str,
        port: int = 2049,
        source: str | None = None,
        netns: str | None = None,
        *,
        uid: int = 0,
        gid: int = 0,
        timeout: float = 10,
    ) -> None:
        self._rpc = Rpc(
            server,
            port,
            PROGRAM,
            VERSION,
            source=source,
            netns=netns,
            uid=uid,
            gid=gid,
            timeout=timeout,
        )
        self._session: bytes | None = None
        self._sequence = 0
        self.owner = b"lab-" + os.urandom(8)
        try:
            self._start_session()
        except BaseException:
            self._rpc.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """The connection is closed; the server forgets the session if it still listens."""
        session, self._session = self._session, None
        try:
            if session:
                self.compound((Op.DESTROY_SESSION, session))
                self.compound((Op.DESTROY_CLIENTID, Packer().u64(self.clientid).bytes()))
        except (NfsError, RpcError, OSError, EOFError):
            pass
        finally:
            self._rpc.close()

    def null(self) -> None:
        """The server answered a call that does nothing."""
        self._rpc.call(NULL)

    def compound(self, *calls: Call) -> Unpacker:
        """What follows the status of the last operation; all of them succeeded."""
        if self._session is not None:
            slot = Packer().fixed(self._session).u32(self._sequence + 1, 0, 0, 0).bytes()
            calls = ((Op.SEQUENCE, slot), *calls)
        message = Packer().text("").u32(MINOR, len(calls))
        for operation, arguments in calls:
            message.u32(operation).fixed(arguments)
        answer = self._rpc.call(COMPOUND, message.bytes())
        answer.u32()
        answer.text()
        count = answer.u32()
        for number, (operation, _) in enumerate(calls[:count], 1):
            answer.u32()
            status = answer.u32()
            if status != 0:
                raise NfsError(STATUS.get(status, "?"), status, operation.name)
            if operation is Op.SEQUENCE:
                self._sequence += 1
            if number == len(calls):
                return answer
            _skip(operation, answer)
        raise EOFError("the server answered fewer operations than asked")

    def _start_session(self) -> None:
        hello = Packer().fixed(os.urandom(8)).opaque(self.owner).u32(0, 0, 0).bytes()
        answer = self.compound((Op.EXCHANGE_ID, hello))
        self.clientid, sequence = answer.u64(), answer.u32()
        fore = (0, self.largest, self.largest, 8192, 64, self.slots, 0)
        back = (0, 4096, 4096, 0, 2, 1, 0)
        create = Packer().u64(self.clientid).u32(sequence, 0, *fore, *back)
        # A callback program that nobody calls, for which no authentication is needed.
        create.u32(0x40000000, 1, 0)
        self._session = self.compound((Op.CREATE_SESSION, create.bytes())).fixed(16)
        self.compound((Op.RECLAIM_COMPLETE, Packer().u32(0).bytes()))


def _skip(operation: Op, answer: Unpacker) -> None:
    """The results of an operation in the middle of a compound are behind us."""
    if operation is Op.SEQUENCE:
        answer.fixed(36)
    elif operation not in (Op.PUTFH, Op.PUTROOTFH, Op.LOOKUP, Op.LOOKUPP):
        raise ValueError(f"{operation.name} has to be the last operation")
