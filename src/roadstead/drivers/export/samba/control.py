"""A running Samba told things, and asked, by its own programs. They reach it by sockets that are
paths, so it does not matter in which network namespace it runs."""

import time
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec

from roadstead.drivers.host import process
from roadstead.drivers.host.exec import CommandFailed, run
from roadstead.model.errors import Transient

# A connection ends when its process reads the message, some milliseconds later.
_ASK_AGAIN = 0.02
_PATIENCE = 0.6
_KILLED_LIMIT = 10.0


class TreeConnect(msgspec.Struct, frozen=True, kw_only=True):
    """One client's connection to one share, as one user."""

    id: str
    pid: int
    uid: int
    client: str


class Control:
    """Talks to the server of this configuration file. `env` is what its processes run with."""

    def __init__(self, conf: Path, env: Mapping[str, str]) -> None:
        self._conf = str(conf)
        self._env = env

    def set_password(self, user: str, password: str) -> None:
        """Samba's database has the user, with this password."""
        argv = ["smbpasswd", "-c", self._conf, "-s", "-a", user]
        run(argv, env=self._env, stdin=f"{password}\n{password}\n")

    def remove_user(self, user: str) -> None:
        """Samba's database has no such user."""
        try:
            run(["smbpasswd", "-c", self._conf, "-x", user], env=self._env)
        except CommandFailed as error:
            if "Failed to find entry" not in error.output:
                raise

    def reload(self) -> None:
        """Every process of the server has been told to read its configuration again."""
        self._tell("smbd", "reload-config")

    def tree_connects(self, share: str) -> list[TreeConnect]:
        """Who uses the share now."""
        with ThreadPoolExecutor(2) as pool:
            statuses = pool.map(self._status, ("-S", "-p"))
        tcons = [t for t in next(statuses)["tcons"].values() if t["service"] == share]
        # What a killed process was doing is listed for a while.
        tcons = [t for t in tcons if process.is_running(int(t["server_id"]["pid"]))]
        sessions = next(statuses)["sessions"]
        return [
            TreeConnect(
                id=f"{t['server_id']['pid']}/{t['tcon_id']}",
                pid=int(t["server_id"]["pid"]),
                uid=int(sessions.get(t["session_id"], {}).get("uid", -1)),
                client=t["machine"],
            )
            for t in tcons
        ]

    def cut(self, share: str, *, once: Collection[int], ever: Collection[int] | None) -> None:
        """The users `once` have lost the connections to the share that they had, and may have new
        ones; the users `ever` have none (None: nobody has). To be called after `reload`.

        A process that does not obey is killed: it serves one client, which may connect again.
        """

        def is_barred(tcon: TreeConnect) -> bool:
            # A session that is just ending has no user any more.
            return ever is None or tcon.uid in ever or tcon.uid < 0

        if ever is None:
            self._tell("smbd", "close-share", share)
        # Not close-denied-share: of a share with `force user` it takes everybody to be denied.
        began = time.monotonic()
        first: set[str] | None = None
        while True:
            found = self.tree_connects(share)
            if first is None:
                first = {t.id for t in found if t.uid in once}
            left = {t.pid for t in found if t.id in first or is_barred(t)}
            if not left:
                return
            waited = time.monotonic() - began
            if waited > _KILLED_LIMIT:
                raise Transient(f"connections to {share} do not end")
            for pid in left:
                if waited > _PATIENCE:
                    process.end(pid, patience=0.0)
                else:
                    self._close(pid, share)
            time.sleep(_ASK_AGAIN)

    def _close(self, pid: int, share: str) -> None:
        try:
            self._tell(str(pid), "close-share", share)
        except CommandFailed:
            if process.is_running(pid):
                raise

    def _tell(self, *words: str) -> None:
        run(["smbcontrol", "-s", self._conf, *words], timeout=10.0, env=self._env)

    def _status(self, option: str) -> dict[str, Any]:
        argv = ["smbstatus", "-s", self._conf, option, "--json"]
        text = run(argv, timeout=10.0, env=self._env)
        try:
            return {"tcons": {}, "sessions": {}, **msgspec.json.decode(text)}
        except msgspec.DecodeError as error:
            raise Transient("the SMB server's status cannot be read") from error
