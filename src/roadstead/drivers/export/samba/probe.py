"""A client that tries to get at a share: TCP from the given address, then Samba's own client."""

import contextlib
import os
import re
import socket
import subprocess
import time

from roadstead.drivers.host import netns as namespaces
from roadstead.model.world import Attempt

_STATUS = re.compile(r"NT_STATUS_\w+")
# How a server says "not for you": it may also hide the share.
_REFUSALS = frozenset(
    "NT_STATUS_" + name
    for name in "LOGON_FAILURE ACCESS_DENIED BAD_NETWORK_NAME NO_SUCH_USER ACCOUNT_DISABLED".split()
)


def attempt(
    server: str,
    port: int,
    *,
    source: str,
    netns: str | None,
    share: str,
    user: str,
    password: str,
    timeout: float = 5.0,
) -> Attempt:
    """What the user gets that connects to the share, within about `timeout` seconds.

    Only the first connection comes from `source`, to see that the server can be reached from it:
    the SMB client cannot choose its address, and to the server a user's address is nothing.
    """
    began = time.monotonic()
    outcome, detail = "error", ""
    try:
        _reach(server, port, source, netns, timeout)
        outcome, detail = _log_in(server, port, netns, share, user, password, timeout)
    except (OSError, subprocess.TimeoutExpired) as error:
        # Not the whole of it: it names the command.
        detail = type(error).__name__
        if isinstance(error, OSError) and error.strerror:
            detail += f": {error.strerror}"
    return Attempt(
        server=server,
        source=source,
        outcome=outcome,
        milliseconds=round((time.monotonic() - began) * 1000, 1),
        detail=detail[:400],
    )


def _reach(server: str, port: int, source: str, netns: str | None, timeout: float) -> None:
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with contextlib.closing(namespaces.tcp_socket(netns, family)) as connection:
        connection.settimeout(timeout)
        connection.bind((source, 0))
        connection.connect((server, port))


def _log_in(
    server: str, port: int, netns: str | None, share: str, user: str, password: str, timeout: float
) -> tuple[str, str]:
    enter = [] if netns is None else ["nsenter", f"--net=/run/netns/{netns}", "--"]
    # The password is in memory only, neither among the arguments nor on disk.
    fd = os.memfd_create("smb-login", 0)
    try:
        os.write(fd, f"username = {user}\npassword = {password}\n".encode())
        os.lseek(fd, 0, os.SEEK_SET)
        argv = [*enter, "smbclient", "--configfile=/dev/null", f"//RSHARE/{share}"]
        argv += ["-I", server, "-p", str(port), "-m", "SMB3", "-A", f"/proc/self/fd/{fd}"]
        done = subprocess.run(
            [*argv, "-c", "pwd"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(fd,),
            timeout=timeout,
            check=False,
        )
    finally:
        os.close(fd)
    said = _STATUS.search(done.stdout.decode(errors="replace"))
    if done.returncode == 0:
        return "admitted", f"as user {user}"
    if said is None:
        return "error", f"smbclient ended with {done.returncode}"
    return "refused" if said[0] in _REFUSALS else "error", f"{said[0]}, as user {user}"
