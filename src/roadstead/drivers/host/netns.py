"""Network namespaces by their names below /run/netns, for the thread that asks (setns(2))."""

import contextlib
import ctypes
import errno
import os
import socket
import threading
from collections.abc import Generator

from roadstead.model.errors import NotFound

_NEWNET = 0x40000000  # CLONE_NEWNET
_libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def opened(name: str) -> Generator[int]:
    """A descriptor of the namespace of that name; NotFound when there is none."""
    try:
        fd = os.open(f"/run/netns/{name}", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise NotFound(f"there is no network namespace {name}") from error
    try:
        yield fd
    finally:
        os.close(fd)


def enter(name: str) -> None:
    """This thread is in the namespace of that name, until it ends. NotFound when there is none,
    or a name that leads nowhere."""
    with opened(name) as fd:
        if _libc.setns(fd, _NEWNET) != 0:
            number = ctypes.get_errno()
            if number == errno.EINVAL:
                raise NotFound(f"there is no network namespace {name}")
            raise OSError(number, f"cannot enter {name}: {os.strerror(number)}")


def enter_new() -> None:
    """This thread is in a namespace of its own, which goes with the last that is in it."""
    if _libc.unshare(_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"a new network namespace: {os.strerror(number)}")


def tcp_socket(netns: str | None, family: socket.AddressFamily) -> socket.socket:
    """A TCP socket of the namespace of that name; None = our own. OSError when there is no such
    namespace."""
    if netns is None:
        return socket.socket(family, socket.SOCK_STREAM)
    made: list[socket.socket] = []
    failed: list[OSError] = []

    def make() -> None:
        try:
            enter(netns)
            made.append(socket.socket(family, socket.SOCK_STREAM))
        except NotFound as error:
            failed.append(FileNotFoundError(errno.ENOENT, str(error)))
        except OSError as error:
            failed.append(error)

    # A socket stays where it was made, and a thread's namespace goes with the thread.
    thread = threading.Thread(target=make, name=f"netns-{netns}")
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return made[0]
