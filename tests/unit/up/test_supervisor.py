"""The supervisor with stand-ins for the agent and the API."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from roadstead.config import load as c
from roadstead.model.errors import ConfigError
from roadstead.process.privileges import account_of
from roadstead.up import preparation, supervisor
from tests.waiting import until

_PROGRAM = """
import sys
from pathlib import Path
from roadstead.up import supervisor
from roadstead.config.load import load
from roadstead.up.child import Child
supervisor.STOP_SECONDS = 1.0
c = load(None, {"ROADSTEAD_API__PORT": sys.argv[2]}, state=sys.argv[1])
children = [Child(f"child{n}", ["/bin/sh", "-c", text]) for n, text in enumerate(sys.argv[3:])]
sys.exit(supervisor.run(c, children=children))
"""


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Running:
    """A supervisor in a process of its own; what its children do is theirs to tell in files."""

    def __init__(self, state: Path, *scripts: str, port: int | None = None) -> None:
        self.state = state
        self.process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(state), str(port or _free_port()), *scripts],
            stderr=subprocess.PIPE,
            text=True,
        )

    def pids(self, name: str) -> list[int]:
        path = self.state / name
        return [int(line) for line in path.read_text().split()] if path.exists() else []

    def wait_pids(self, name: str, count: int) -> list[int]:
        until(lambda: len(self.pids(name)) >= count, f"{count} starts of {name}", seconds=10)
        return self.pids(name)

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=15)
        return self.process.returncode, said


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def start(tmp_path):
    running: list[Running] = []

    def go(*scripts: str, port: int | None = None) -> Running:
        running.append(Running(tmp_path, *scripts, port=port))
        return running[-1]

    yield go
    for one in running:
        with contextlib.suppress(ProcessLookupError):
            one.process.kill()
        one.process.wait()
        assert one.process.stderr is not None
        one.process.stderr.close()


def _sleeper(tmp_path: Path, name: str) -> str:
    return f"echo $$ >> {tmp_path}/{name}; exec sleep 600"


def test_a_child_that_never_can_run_ends_it_all(start, tmp_path):
    """As the agent with another host's shares: to start it again could not help."""
    running = start("exit 78", _sleeper(tmp_path, "two"))
    _, said = running.process.communicate(timeout=15)
    assert running.process.returncode == 1
    assert "child0 cannot run with this configuration" in said
    assert "starts again" not in said
    assert not any(_alive(pid) for pid in running.pids("two"))


def test_children_run_until_it_is_told_to_end(start, tmp_path):
    one = start(_sleeper(tmp_path, "a"), _sleeper(tmp_path, "b"))
    pids = one.wait_pids("a", 1) + one.wait_pids("b", 1)
    assert all(_alive(p) for p in pids)
    status, said = one.end(signal.SIGINT)
    assert status == 0
    assert "stopped" in said
    assert not any(_alive(p) for p in pids)


def test_a_child_that_dies_runs_again(start, tmp_path):
    one = start(_sleeper(tmp_path, "a"), _sleeper(tmp_path, "b"))
    other = one.wait_pids("b", 1)
    os.kill(one.wait_pids("a", 1)[0], signal.SIGKILL)
    assert len(one.wait_pids("a", 2)) == 2
    assert one.pids("b") == other
    _, said = one.end()
    assert "child0 ended (SIGKILL); it starts again in 0.2 s" in said


def test_a_child_that_cannot_live_is_tried_ever_less_often(start, tmp_path):
    one = start(f"echo $$ >> {tmp_path}/a; exit 3")
    one.wait_pids("a", 4)
    _, said = one.end()
    assert "(status 3); it starts again in 0.8 s" in said


def test_a_child_that_does_not_end_is_killed(start, tmp_path):
    stubborn = f"trap '' TERM; echo $$ >> {tmp_path}/a; while :; do sleep 0.1; done"
    one = start(stubborn, _sleeper(tmp_path, "b"))
    pids = one.wait_pids("a", 1) + one.wait_pids("b", 1)
    status, said = one.end()
    assert status == 0
    assert "child0 did not end in 1 s and is killed" in said
    assert not any(_alive(p) for p in pids)


def test_children_do_not_outlive_it(start, tmp_path):
    one = start(_sleeper(tmp_path, "a"))
    pid = one.wait_pids("a", 1)[0]
    one.end(signal.SIGKILL)
    until(lambda: not _alive(pid), "the child has ended", seconds=10)


def test_there_is_only_one(start, tmp_path):
    first = start(_sleeper(tmp_path, "a"))
    first.wait_pids("a", 1)
    second = start(_sleeper(tmp_path, "b"))
    _, said = second.process.communicate(timeout=10)
    assert second.process.returncode == 1
    assert f"already running: process {first.process.pid} uses {tmp_path}/run" in said
    assert second.pids("b") == []


def test_a_taken_port_is_named(start, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        one = start(_sleeper(tmp_path, "a"), port=port)
        _, said = one.process.communicate(timeout=10)
    assert one.process.returncode == 1
    assert f"cannot listen at 127.0.0.1:{port}" in said
    assert one.pids("a") == []


def test_it_tells_when_both_are_ready(tmp_path):
    port = _free_port()
    api = (
        "import socket,sys; s=socket.socket(fileno=int(sys.argv[1]))\n"
        "while True:\n"
        "    c,_=s.accept(); c.recv(999); c.sendall(b'HTTP/1.1 200 OK\\r\\n\\r\\n'); c.close()\n"
    )
    program = _PROGRAM.replace(
        "sys.exit(supervisor.run(c, children=children))",
        "from roadstead.up import preparation\n"
        "preparation.prepare = lambda c, fd: children + "
        f"[Child('api', [sys.executable, '-c', {api!r}, str(fd)], keep_fds=(fd,))]\n"
        "sys.exit(supervisor.run(c))",
    )
    stale = tmp_path / "run" / "agent.ready"
    stale.parent.mkdir()
    stale.touch()
    agent = f"sleep 0.5; echo $$ > {stale}; exec sleep 600"
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path), str(port), agent],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        line = process.stderr.readline()
        assert line.startswith(f"roadstead: Roadstead is ready: http://127.0.0.1:{port} in ")
        assert stale.read_text()
    finally:
        process.terminate()
        process.communicate(timeout=10)
    assert process.returncode == 0


def test_children_do_not_get_our_settings():
    environ = supervisor._child_environ(
        {"ROADSTEAD_DATABASE": "postgresql://a:b@c", "PATH": "/bin", "ROADSTEAD_TEST_X": "1"}
    )
    assert environ == {"PATH": "/bin", "ROADSTEAD_TEST_X": "1", "MALLOC_ARENA_MAX": "2"}


def test_the_file_of_a_sqlite_url():
    assert preparation.sqlite_file("sqlite:////a/b.sqlite") == Path("/a/b.sqlite")
    assert preparation.sqlite_file("postgresql+psycopg://a@b/c") is None


@pytest.mark.skipif(os.geteuid() != 0, reason="changes the user")
def test_directories_have_the_owners_they_need():
    account = account_of("nobody")
    # pytest's own directories are closed to others.
    with tempfile.TemporaryDirectory() as directory:
        state = Path(directory) / "state"
        config = c.load(None, {}, state=state)
        with pytest.raises(ConfigError, match="cannot reach"):
            preparation.make_directories(config, account)
        state.parent.chmod(0o755)
        preparation.make_directories(config, account)
        database = state / "db/roadstead.sqlite"
        assert database.stat().st_uid == database.parent.stat().st_uid == account.uid
        assert database.parent.stat().st_mode & 0o777 == 0o700
        assert state.stat().st_mode & 0o777 == 0o755
        assert (state / "etc").stat().st_gid == account.gid


@pytest.mark.skipif(os.geteuid() != 0, reason="changes the user")
def test_the_api_is_not_root():
    with pytest.raises(ConfigError, match="must not run as root"):
        account_of("root")
    with pytest.raises(ConfigError, match="useradd"):
        account_of("nobody-of-that-name")
