"""A service that says who it is, and what its callers get."""

import contextlib
import socket
import threading

from tests.lab.netns import in_thread

PORT = 2049


class Greeter:
    """Answers on an address of a namespace between enter and exit; remembers its callers."""

    def __init__(self, netns: str, address: str, word: bytes, *, port: int = PORT) -> None:
        self.callers: list[str] = []
        self._word = word
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._socket = in_thread(
            netns, lambda: socket.create_server((address, port), family=family)
        )
        self._thread = threading.Thread(target=self._serve, name="greeter")

    def __enter__(self) -> "Greeter":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                caller, address = self._socket.accept()
                self.callers.append(address[0])
                with caller:
                    caller.sendall(self._word)


def ask(
    netns: str, address: str, *, source: str = "", port: int = PORT, timeout: float = 5.0
) -> bytes | None:
    """What the service at the address says to somebody in the namespace; None when it cannot be
    had within the time."""

    def call() -> bytes | None:
        try:
            with socket.create_connection(
                (address, port), timeout, source_address=(source, 0) if source else None
            ) as connection:
                return connection.recv(100)
        except OSError:
            return None

    return in_thread(netns, call)
