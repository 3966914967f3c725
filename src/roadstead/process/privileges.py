"""Giving up root, for good, and not outliving the parent. Standard library only."""

import os
import pwd
import signal
import sys
from pathlib import Path
from typing import NamedTuple

from roadstead.model.errors import ConfigError

_PR_SET_PDEATHSIG = 1  # prctl(2)
_PR_SET_NO_NEW_PRIVS = 38


class Account(NamedTuple):
    """Who a process runs as."""

    name: str
    uid: int
    gid: int

    def drop(self) -> None:
        """This process is that user with its own group alone, and no program it starts can be
        more. Does nothing when it is not root."""
        if os.geteuid() != 0:
            return
        forbid_new_privileges()
        os.setgroups([])
        os.setresgid(self.gid, self.gid, self.gid)
        os.setresuid(self.uid, self.uid, self.uid)


def account_of(name: str) -> Account:
    """The user of that name or number; who we are when that is not root. ConfigError when there
    is no such user, or it is root."""
    if os.geteuid() != 0:
        return Account(_own_name(), os.getuid(), os.getgid())
    try:
        entry = pwd.getpwuid(int(name)) if name.isdecimal() else pwd.getpwnam(name)
    except KeyError:
        raise ConfigError(
            f"api.user: there is no user {name!r}; make it with: "
            f"useradd --system --no-create-home --shell /usr/sbin/nologin {name}"
        ) from None
    if entry.pw_uid == 0:
        raise ConfigError("api.user: the API must not run as root")
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def forbid_new_privileges() -> None:
    """No set-uid program gives this process or its children more than it has."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def die_with_parent(parent: int) -> None:
    """SIGTERM arrives when the parent is gone, also if it is gone already. To be called after a
    change of user, which the kernel takes as a reason to forget it (prctl(2))."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)


def can_read(account: Account, *paths: str | Path) -> bool:
    """True when the user reaches and reads all those files and directories; asked of the kernel
    by a child that is the user."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            account.drop()
            status = 0 if all(map(_readable, paths)) else 1
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def can_run_us(account: Account) -> bool:
    """True when the user can start this interpreter with its library and our code."""
    needed = [Path(sys.executable).resolve(), Path(os.__file__), Path(__file__)]
    return can_read(account, *needed, *filter(os.path.exists, sys.path))


def _readable(path: str | Path) -> bool:
    return os.access(path, os.R_OK | (os.X_OK if os.path.isdir(path) else 0))


def _own_name() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _prctl(option: int, value: int) -> None:
    import ctypes  # the supervisor itself never pays for it

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
