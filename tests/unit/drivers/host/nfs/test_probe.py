"""The probe's client never fails for what a server does: that is what it came to find out."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from typing import TYPE_CHECKING

import pytest

from roadstead.drivers.host.nfs import probe as nfs_probe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from roadstead.model.world import Attempt


@contextlib.contextmanager
def _server(answer: Callable[[socket.socket], object]) -> Iterator[int]:
    """A port of loopback whose first client meets this answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                client, _ = listener.accept()
                with client:
                    answer(client)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _attempt(port: int, *, timeout: float = 5.0, netns: str | None = None) -> Attempt:
    return nfs_probe.attempt(
        "127.0.0.1", port, source="127.0.0.9", netns=netns, path="/share-1", timeout=timeout
    )


def _reply(client: socket.socket, *words: int) -> None:
    """One record: the call's own transaction id, that it is a reply, and these words."""
    call = client.recv(65536)
    body = call[4:8] + struct.pack(f">{1 + len(words)}I", 1, *words)
    client.sendall(struct.pack(">I", 0x80000000 | len(body)) + body)
    client.recv(65536)


@pytest.mark.parametrize(
    ("answer", "outcome", "told"),
    [
        pytest.param(lambda c: None, "error", "", id="closes"),
        pytest.param(lambda c: c.sendall(b"HTTP/1.1 400 Bad"), "error", "too long", id="not NFS"),
        pytest.param(lambda c: c.sendall(b"\x80\0\0\x02ab"), "error", "too early", id="too short"),
        pytest.param(lambda c: _reply(c, 0, 0, 0, 2), "error", "status 2", id="no such version"),
        pytest.param(lambda c: _reply(c, 1, 1, 1), "refused", "denied", id="denied"),
        pytest.param(
            # accepted, then the status, tag and one operation: EXCHANGE_ID with SERVERFAULT
            lambda c: _reply(c, 0, 0, 0, 0, 10006, 0, 1, 42, 10006),
            "error",
            "SERVERFAULT",
            id="EXCHANGE_ID fails",
        ),
        pytest.param(
            lambda c: _reply(c, 0, 0, 0, 0, 13, 0, 1, 42, 13), "error", "ACCESS", id="no client"
        ),
    ],
)
def test_whatever_is_answered_is_an_outcome(answer, outcome, told):
    with _server(answer) as port:
        found = _attempt(port)
    assert found.outcome == outcome
    assert told in found.detail
    assert (found.server, found.source) == ("127.0.0.1", "127.0.0.9")


def test_a_server_that_is_silent_is_left():
    done = threading.Event()
    with _server(lambda _client: done.wait(30)) as port:
        found = _attempt(port, timeout=0.2)
        done.set()
    assert found.outcome == "error"
    assert "timed out" in found.detail


def test_nobody_listens():
    with _server(lambda _client: None) as port:
        pass
    found = _attempt(port)
    assert found.outcome == "error"
    assert "refused" in found.detail


def test_a_namespace_that_is_not_there():
    found = _attempt(2049, netns="rs-no-such-namespace")
    assert found.outcome == "error"
    assert "rs-no-such-namespace" in found.detail
