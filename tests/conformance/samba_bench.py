"""A real Samba in a network namespace of its own, and Samba's client in the same one."""

from __future__ import annotations

import os
import select
import subprocess
import time
from typing import TYPE_CHECKING, Self

from roadstead.conformance.exports import USERS, ExportBench
from roadstead.drivers.export.nfs_and_smb import NfsAndSmb
from roadstead.drivers.export.samba.driver import SambaExport
from roadstead.drivers.host import process
from tests.conformance.ganesha_bench import CONTENT, SERVER, SERVER6, GaneshaLab
from tests.lab.requirements import require

if TYPE_CHECKING:
    from pathlib import Path

    from roadstead.model import world as w

WRONG = "not-the-password"
REFUSED = ("NT_STATUS_LOGON_FAILURE", "NT_STATUS_ACCESS_DENIED", "NT_STATUS_BAD_NETWORK_NAME")


class SambaLab(GaneshaLab):
    """A namespace with a server's and some clients' addresses; nothing is left of it."""

    def __init__(self) -> None:
        require("smbd", "smbclient", "smbcontrol", "smbpasswd", "smbstatus", root=True)
        super().__init__()

    def samba(self, *, require_mount: bool = False, port: int = 445) -> SambaExport:
        """A driver as a newly started agent makes it; all of one lab share one state."""
        driver = SambaExport(
            SambaExport.Options(
                state_directory=str(self.root / "state-smb"),
                require_mount=require_mount,
                port=port,
            )
        )
        self._drivers.append(driver)
        return driver

    def both(self) -> NfsAndSmb:
        """A driver for NFS and SMB; its state is that of the others."""
        driver = NfsAndSmb(
            NfsAndSmb.Options(
                state_directory=str(self.root / "state"),
                run_directory=str(self.root / "run"),
                require_mount=False,
            )
        )
        self._drivers.append(driver)
        return driver

    def smb_bench(self, driver: SambaExport | NfsAndSmb | None = None) -> ExportBench:
        """A driver with its server running, for shares over SMB."""
        driver = driver or self.samba()
        place = self.place()
        driver.ensure_server(place)

        def level_of(client: str, spec: w.ExportSpec) -> str | None:
            user = USERS[client]
            server = SERVER6 if ":" in client else SERVER
            return self.level(spec, user, bench.keys.get(user, WRONG), server)

        bench = ExportBench(driver, place, self.make_path, level_of, proto="CIFS")
        return bench

    def level(
        self, spec: w.ExportSpec, user: str, password: str, server: str = SERVER
    ) -> str | None:
        """At which level this user gets at the export: really tried, by writing."""
        done = self.smbclient(spec, user, password, "get file -", server=server)
        if any(status in done for status in (*REFUSED, "CONNECTION_REFUSED")):
            return None
        assert CONTENT.decode() in done, done
        file = self.root / "file"
        file.write_bytes(CONTENT)
        done = self.smbclient(spec, user, password, f"put {file} file", server=server)
        if "NT_STATUS_ACCESS_DENIED" in done or "NT_STATUS_MEDIA_WRITE_PROTECTED" in done:
            return "ro"
        assert "NT_STATUS" not in done, done
        return "rw"

    def smbclient(
        self, spec: w.ExportSpec, user: str, password: str, script: str, *, server: str = SERVER
    ) -> str:
        """What Samba's client says to these commands."""
        argv = [*self._argv(spec, user, server), "-c", script]
        env = {**os.environ, "PASSWD": password}
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=env, check=False
        )
        return done.stdout + done.stderr

    def session(self, spec: w.ExportSpec, user: str, password: str) -> SmbSession:
        """The user is connected to the share."""
        return SmbSession(self._argv(spec, user, SERVER), password)

    def smbd(self, place: w.Place) -> list[int]:
        """The place's server processes."""
        return process.find(["smbd"], str(self.smb_state(place) / "smb.conf"))

    def smb_state(self, place: w.Place) -> Path:
        """Where the place's server keeps everything."""
        return self.root / "state-smb" / place.id

    def _argv(self, spec: w.ExportSpec, user: str, server: str) -> list[str]:
        share = f"//server/share-{spec.instance_id}"
        return [
            *("nsenter", f"--net=/run/netns/{self.netns}", "--", "smbclient"),
            *("--configfile=/dev/null", share, "-I", server, "-U", user),
        ]


class SmbSession:
    """A client that stays connected, one command after another."""

    def __init__(self, argv: list[str], password: str) -> None:
        self._process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PASSWD": password, "CLI_FORCE_INTERACTIVE": "1"},
            bufsize=0,
        )
        self._answer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def do(self, command: str) -> str:
        """What the client says."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{command}\n".encode())
        except BrokenPipeError:
            return "the client has given up"
        return self._answer()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        text, limit = b"", time.monotonic() + 20
        while not text.endswith(b"> "):
            left = limit - time.monotonic()
            assert select.select([self._process.stdout], [], [], max(0.0, left))[0], text
            part = os.read(self._process.stdout.fileno(), 65536)
            if not part:  # it gave up: the server is gone
                break
            text += part
        return text.decode(errors="replace")
