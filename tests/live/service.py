"""`roadstead up` with a directory of its own: started, killed, stopped and cleaned up."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import tomli_w
import yaml

from tests.lab.process import spawn, stop
from tests.lab.segment import Segment
from tests.live.api import Api
from tests.temporary import Temporary
from tests.waiting import in_time

_BIN = Path(sys.executable).parent
START_SECONDS = 60.0


class NotReady(Exception):
    """The service did not become ready; the text has what it printed."""


class Roadstead(Temporary):
    """Runs between enter and exit; afterwards neither process, mount nor file is left.

    With a segment its exports are in the segment's service namespace, at its two addresses. The
    API listens on loopback. `settings` go into the configuration file, over what is made here.
    """

    command: Sequence[str] = (str(_BIN / "roadstead"), "up")

    def __init__(
        self,
        segment: Segment | None = None,
        *,
        pool: str = "image",
        export: str = "ganesha",
        database: str = "",
        settings: Mapping[str, Any] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        # Short, because a socket's path has 107 bytes at most.
        self.state = Path(tempfile.mkdtemp(prefix="roadstead-", dir="/tmp"))
        self.state.chmod(0o755)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environ = dict(environ or {})
        self.log = self.state / "service.log"
        self._process: subprocess.Popen[bytes] | None = None
        backend: dict[str, Any] = {"pool": pool, "export": export}
        if pool == "image":
            backend["pool_options"] = {"backing_gib": 24}
        if segment is not None:
            backend["addresses"] = [segment.server, segment.server6]
            backend["netns"] = segment.service_netns or ""
        config: dict[str, Any] = {
            "host": "node1",
            "api": {"port": self.port},
            "backends": {"local": backend},
        }
        if database:
            config["database"] = database
        self.config = _merged(config, settings or {})

    # --- life ---------------------------------------------------------------------------------

    def _make(self, undo: ExitStack) -> None:
        undo.callback(self.clean_up)
        self.start()

    def start(self, *, wait: bool = True, environ: Mapping[str, str] | None = None) -> None:
        """It is ready; NotReady with its log if not. `environ` is for this start only."""
        (self.state / "roadstead.toml").write_text(tomli_w.dumps(self.config))
        with self.log.open("ab") as output:
            self._process = spawn(
                [*self.command, "--state", str(self.state)],
                output=output,
                env={**os.environ, **self.environ, **(environ or {})},
            )
        if wait:
            self.wait_ready()

    def wait_ready(self) -> None:
        """The supervisor has said that agent and API are ready, since the last start."""

        def look() -> bool:
            if self._process is None or self._process.poll() is not None:
                raise NotReady(self.log.read_text())
            # The agent's own mark, which the supervisor removes at each start.
            return self.agent_pid is not None and Api(self.url).healthy()

        if not in_time(look, START_SECONDS):
            raise NotReady(self.log.read_text())

    def stop(self) -> None:
        """Stopped as by systemd: SIGTERM. Exports go on."""
        if self._process is not None:
            stop(self._process, 20)
            self._process = None

    def kill(self) -> None:
        """Everything of ours died at once; the exports go on."""
        if self._process is not None:
            # The supervisor first: it starts a child that died again at once.
            pids = [self._process.pid, *children_of(self._process.pid)]
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def down(self) -> None:
        """`roadstead down`: no export server, no mount."""
        self.run("roadstead", "down", "--state", str(self.state))

    def clean_up(self) -> None:
        """Nothing is left, the state directory included."""
        self.stop()
        for _ in range(3):
            done = self.run("roadstead", "down", "--state", str(self.state), check=False)
            if done.returncode == 0:
                shutil.rmtree(self.state)
                return
            time.sleep(0.5)
        raise AssertionError(f"could not be taken down: {done.stdout}{done.stderr}")

    @property
    def agent_pid(self) -> int | None:
        """The agent that is ready; None while there is none."""
        try:
            return int((self.state / "run/agent.ready").read_text())
        except (OSError, ValueError):
            return None

    def kill_agent(self) -> None:
        """The agent died of SIGKILL; the supervisor starts another."""
        pid = self.agent_pid
        assert pid is not None, "no agent to kill"
        (self.state / "run/agent.ready").unlink()
        os.kill(pid, signal.SIGKILL)

    # --- use ----------------------------------------------------------------------------------

    @property
    def clouds_file(self) -> Path:
        """The clouds.yaml of the first start."""
        return self.state / "clouds.yaml"

    def api(self, cloud: str = "roadstead", *, version: str = "2.99") -> Api:
        """A client as that cloud of clouds.yaml: roadstead (demo) or roadstead-admin."""
        auth = yaml.safe_load(self.clouds_file.read_text())["clouds"][cloud]["auth"]
        return Api(self.url, auth["username"], auth["password"], version=version)

    def run(
        self, *argv: str, check: bool = True, timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """A program of our environment has run, with our clouds.yaml."""
        done = subprocess.run(
            [str(_BIN / argv[0]), *argv[1:]],
            env={**os.environ, "OS_CLIENT_CONFIG_FILE": str(self.clouds_file)},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"{' '.join(argv)}: {done.returncode}: {done.stdout}{done.stderr}")
        return done

    def openstack(self, *argv: str, cloud: str = "roadstead") -> Any:
        """What the stock client printed as JSON; None when it printed nothing."""
        done = self.run("openstack", "--os-cloud", cloud, *argv)
        return done.stdout

    def openstack_json(self, *argv: str, cloud: str = "roadstead") -> Any:
        """What the stock client printed with -f json."""
        return json.loads(self.openstack(*argv, "-f", "json", cloud=cloud))


def children_of(pid: int) -> list[int]:
    """Processes whose parent is `pid`."""
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [int(p) for p in found]


def free_port() -> int:
    """A TCP port of loopback that nobody listens at now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(base)
    for key, value in over.items():
        old = found.get(key)
        found[key] = _merged(old, value) if isinstance(old, dict) and value else value
    return found
