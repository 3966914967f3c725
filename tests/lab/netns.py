"""Network namespaces: make, enter, remove."""

import contextlib
import ctypes
import fcntl
import multiprocessing
import os
import signal
import struct
import subprocess
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import ParamSpec, TypeVar

from tests.lab.requirements import LabError
from tests.waiting import in_time

NETNS_DIRECTORY = Path("/run/netns")
CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x0002, 0x1000, 0x4000
CHILD_LIMIT = 60.0

P = ParamSpec("P")
T = TypeVar("T")


def ip(*words: str, netns: str | None = None) -> str:
    """The output of an ip command that succeeded."""
    argv = ["ip", *(["-n", netns] if netns else []), *words]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"{' '.join(argv)}: {done.stderr.strip()}")
    return done.stdout


def add_netns(name: str) -> None:
    """A new namespace with lo up and IPv6 addresses usable at once; it did not exist before."""
    ip("netns", "add", name)
    ip("link", "set", "lo", "up", netns=name)
    with contextlib.suppress(FileNotFoundError):
        in_thread(name, lambda: Path("/proc/sys/net/ipv6/conf/default/accept_dad").write_text("0"))


def remove_netns(name: str) -> None:
    """The namespace is gone, and the processes in it with it."""
    # Its name can go while processes still use it, and then nobody could find them.
    for sign in (signal.SIGTERM, signal.SIGKILL):
        if _ended_by(sign, name, seconds=3.0):
            break
    ip("netns", "delete", name)


def _ended_by(sign: signal.Signals, name: str, *, seconds: float) -> bool:
    """Whether no process is alive in the namespace that long after the signal."""
    pids = _pids(name)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, sign)
    return not pids or in_time(lambda: not _pids(name), seconds)


def _pids(name: str) -> list[int]:
    return [int(pid) for pid in ip("netns", "pids", name).split() if not _is_zombie(pid)]


def _is_zombie(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def setns(name: str) -> None:
    """The calling thread is in the namespace."""
    fd = os.open(NETNS_DIRECTORY / name, os.O_RDONLY | os.O_CLOEXEC)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(fd, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter network namespace {name}")
    finally:
        os.close(fd)


def in_thread(name: str | None, call: Callable[[], T]) -> T:
    """What call returned in a thread inside the namespace: for opening sockets and files,
    which stay in the namespace they were opened in."""
    if name is None:
        return call()
    outcome: list[T] = []
    errors: list[BaseException] = []

    def body() -> None:
        try:
            setns(name)
            outcome.append(call())
        except BaseException as error:  # handed on below, whatever it is
            errors.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return outcome[0]


def in_netns(name: str, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What call returned, or the exception it raised, in a forked child inside the namespace."""
    fork = multiprocessing.get_context("fork")
    here, there = fork.Pipe(duplex=False)
    child = fork.Process(target=_child, args=(name, there, call, args, kwargs), daemon=True)
    child.start()
    there.close()
    try:
        if not here.poll(CHILD_LIMIT):
            raise TimeoutError(f"no answer from the child in {name} within {CHILD_LIMIT} s")
        good, value = here.recv()
    except EOFError:
        raise LabError(f"the child in {name} died without an answer") from None
    finally:
        child.kill()
        child.join()
        here.close()
    if good:
        return value
    raise value


def _child(
    name: str,
    answer: Connection,
    call: Callable[..., object],
    args: tuple[object, ...],
    kwargs: dict[str, object],
) -> None:
    try:
        setns(name)
        answer.send((True, call(*args, **kwargs)))
    except BaseException as error:
        answer.send((False, error))


def open_tap(netns: str, name: str) -> int:
    """A descriptor of an existing tap of the namespace, for QEMU to use from anywhere."""

    def attach() -> int:
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
        flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR
        try:
            fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
        except OSError:
            os.close(fd)
            raise
        return fd

    return in_thread(netns, attach)
