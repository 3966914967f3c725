"""Lines over the unix sockets of a QEMU: its control protocol and our command channel."""

import contextlib
import json
import socket
import time
from pathlib import Path
from typing import Any

from tests.lab.requirements import LabError
from tests.waiting import until


class Channel:
    """A connected socket that sends and receives whole lines."""

    def __init__(self, path: Path, timeout: float) -> None:
        self._buffer = b""
        self._socket = until(lambda: _connected(path), f"{path} is open", seconds=timeout)

    def send(self, line: bytes) -> None:
        """The line is on its way."""
        self._socket.settimeout(None)
        self._socket.sendall(line + b"\n")

    def line(self, timeout: float | None) -> bytes:
        """The next line; TimeoutError if none came, EOFError if none will."""
        end = None if timeout is None else time.monotonic() + timeout
        while b"\n" not in self._buffer:
            left = None if end is None else max(0.01, end - time.monotonic())
            self._socket.settimeout(left)
            try:
                data = self._socket.recv(65536)
            except ConnectionError:
                data = b""
            if not data:
                raise EOFError("the channel is closed")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def close(self) -> None:
        """The socket is closed, and a thread that waits in line() gets EOFError."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def _connected(path: Path) -> socket.socket | None:
    """None when nobody listens there."""
    made = socket.socket(socket.AF_UNIX)
    try:
        made.connect(str(path))
    except OSError:
        made.close()
        return None
    return made


class Qmp:
    """QEMU's control protocol."""

    def __init__(self, path: Path) -> None:
        self._channel = Channel(path, 10)
        self.events: list[dict[str, Any]] = []
        self._channel.line(10)
        self.command("qmp_capabilities")

    def command(self, execute: str, **arguments: object) -> Any:
        """QEMU's answer to the command; its error becomes a LabError."""
        question = {"execute": execute, "arguments": arguments}
        self._channel.send(json.dumps(question).encode())
        while True:
            message = json.loads(self._channel.line(30))
            if "event" in message:
                self.events.append(message)
            elif "error" in message:
                raise LabError(f"QMP {execute}: {message['error']['desc']}")
            else:
                return message["return"]

    def wait_event(self, name: str, timeout: float = 30, **data: object) -> dict[str, Any]:
        """The next event of this name with this data, taken off the list of events."""
        end = time.monotonic() + timeout
        while True:
            for event in self.events:
                if event["event"] == name and data.items() <= event.get("data", {}).items():
                    self.events.remove(event)
                    return event
            message = json.loads(self._channel.line(max(0.01, end - time.monotonic())))
            if "event" in message:
                self.events.append(message)

    def close(self) -> None:
        """The connection is closed."""
        self._channel.close()
