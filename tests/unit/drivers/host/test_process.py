"""Whose child a process is, where it runs and whether it does, as /proc has it."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from roadstead.drivers.host import process


@pytest.fixture
def child(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """With a name that would mislead who splits /proc/PID/stat at its spaces."""
    program = tmp_path / "a) S 1 (b"
    program.symlink_to("/bin/cat")
    with subprocess.Popen([program], stdin=subprocess.PIPE) as started:
        yield started
        started.kill()


def test_a_running_process(child: subprocess.Popen[bytes]):
    assert child.pid in set(process.ids())
    assert process.is_running(child.pid)
    assert process.parent(child.pid) == os.getpid()
    assert process.is_in(child.pid, None)
    assert not process.is_in(child.pid, "rs-there-is-none")
    mine = process.started_at(os.getpid())
    theirs = process.started_at(child.pid)
    assert mine is not None
    assert theirs is not None
    assert mine <= theirs


def test_a_process_that_has_ended(child: subprocess.Popen[bytes]):
    child.kill()
    child.wait()
    assert child.pid not in set(process.ids())
    assert not process.is_running(child.pid)
    assert process.parent(child.pid) is None
    assert not process.is_in(child.pid, None)
    assert process.started_at(child.pid) is None
