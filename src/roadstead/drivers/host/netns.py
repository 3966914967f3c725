"""Sockets of another network namespace, without a program and without leaving our own."""

import ctypes
import os
import socket
import threading

_CLONE_NEWNET = 0x40000000


def tcp_socket(netns: str | None, family: socket.AddressFamily) -> socket.socket:
    """A TCP socket of the namespace of that name below /run/netns; None = our own. OSError when
    there is no such namespace."""
    if netns is None:
        return socket.socket(family, socket.SOCK_STREAM)
    made: list[socket.socket] = []
    failed: list[OSError] = []

    def make() -> None:
        try:
            _enter(netns)
            made.append(socket.socket(family, socket.SOCK_STREAM))
        except OSError as error:
            failed.append(error)

    # A socket stays where it was made, and a thread's namespace goes with the thread.
    thread = threading.Thread(target=make, name=f"netns-{netns}")
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return made[0]


def _enter(netns: str) -> None:
    fd = os.open(f"/run/netns/{netns}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(fd, _CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"cannot enter {netns}: {os.strerror(number)}")
    finally:
        os.close(fd)
