"""A nudge from the API to the agent of the same machine: a datagram with an operation's id.

Only a hint, so that an operation starts now and not at the queue's next poll; a lost one costs a
second. Nobody can do harm with it: the agent looks the id up in the database.
"""

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Sequence

SOCKET_NAME = "wake.sock"
# In place of an id: look for whatever else there is to do.
NUDGE = "nudge"


def send(run_directory: str, operation_ids: Sequence[str]) -> None:
    """The agent, if one listens there, has been told."""
    if not operation_ids:
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.setblocking(False)
        for operation_id in operation_ids:
            s.sendto(operation_id.encode(), os.path.join(run_directory, SOCKET_NAME))


class Listener:
    """Calls `heard(id)` for each nudge, in a thread of its own, until closed."""

    def __init__(self, run_directory: str, heard: Callable[[str], None], *, gid: int = -1) -> None:
        self._path = os.path.join(run_directory, SOCKET_NAME)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self._path)
        os.chown(self._path, -1, gid)
        os.chmod(self._path, 0o660)
        self._heard = heard
        self._closed = False
        self._thread = threading.Thread(target=self._listen, name="wake", daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while not self._closed:
            try:
                text = self._socket.recv(64).decode("ascii", "replace")
            except OSError:
                return
            if text:
                self._heard(text)

    def close(self) -> None:
        """No more calls; the socket is gone."""
        self._closed = True
        with contextlib.suppress(OSError):
            os.unlink(self._path)
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
