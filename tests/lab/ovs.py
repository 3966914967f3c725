"""An Open vSwitch of its own, with its daemons in one namespace."""

import subprocess
from contextlib import ExitStack
from pathlib import Path

from tests.lab.process import spawn, stop
from tests.lab.requirements import require
from tests.temporary import Temporary
from tests.waiting import until

SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
PATIENCE = 20.0


class OpenVSwitch(Temporary):
    """Runs between enter and exit; everything it has is below `directory`."""

    def __init__(self, directory: Path, netns: str) -> None:
        require("ovs-vsctl", "ovsdb-server", "ovs-vswitchd", "ethtool", root=True)
        self._directory = directory
        self._netns = netns
        self.database = f"unix:{directory}/db.sock"

    def _make(self, undo: ExitStack) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        base = self._directory / "conf.db"
        subprocess.run(["ovsdb-tool", "create", base, SCHEMA], check=True)
        self._start(undo, "ovsdb-server", f"--remote=p{self.database}", str(base), netns=None)
        self.vsctl("--no-wait", "init")
        self._start(undo, "ovs-vswitchd", self.database, netns=self._netns)

    def vsctl(self, *words: str) -> str:
        """The output of ovs-vsctl; waits for the daemons to answer."""
        argv = ["ovs-vsctl", f"--db={self.database}", "--timeout=10", *words]
        said: list[str] = []

        def succeeds() -> bool:
            done = subprocess.run(argv, capture_output=True, text=True, check=False)
            said[:] = [done.stdout, done.stderr]
            return done.returncode == 0

        until(succeeds, " ".join(argv), seconds=PATIENCE, pause=0.05, why=lambda: said)
        return said[0]

    def bridges(self) -> list[str]:
        """The names of all bridges."""
        return self.vsctl("--no-wait", "list-br").split()

    def _start(self, undo: ExitStack, program: str, *words: str, netns: str | None) -> None:
        control = f"--unixctl={self._directory}/{program}.ctl"
        log = self._directory / f"{program}.log"
        with log.open("ab") as output:
            argv = [program, control, *words]
            env = {
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                "OVS_RUNDIR": str(self._directory),
                "OVS_DBDIR": str(self._directory),
                "OVS_LOGDIR": str(self._directory),
            }
            undo.callback(stop, spawn(argv, netns=netns, output=output, env=env))
