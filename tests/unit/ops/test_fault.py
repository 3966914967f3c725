"""A process dies at the armed point, once; without the variable there is no such point."""

import os
import signal
import subprocess
import sys

import pytest

_PROGRAM = """
from roadstead.ops.fault import point
for phase in ("before", "effect", "journal"):
    point("share.create", "pool", phase)
    print(phase)
"""


def _run(**environ):
    return subprocess.run(
        [sys.executable, "-c", _PROGRAM], env={**os.environ, **environ}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip


def test_the_armed_point_kills_once(tmp_path):
    armed = tmp_path / "kill"
    armed.write_text("share.create:pool:effect")
    done = _run(ROADSTEAD_TEST_KILL_FILE=str(armed))
    assert done.returncode == -signal.SIGKILL
    assert not armed.exists()
    again = _run(ROADSTEAD_TEST_KILL_FILE=str(armed))
    assert (again.returncode, again.stdout.split()) == (0, ["before", "effect", "journal"])


@pytest.mark.parametrize("text", ["share.create:pool:undo-before", "share.delete:pool:effect", ""])
def test_other_points_are_passed_and_stay_armed(tmp_path, text):
    armed = tmp_path / "kill"
    armed.write_text(text)
    assert _run(ROADSTEAD_TEST_KILL_FILE=str(armed)).returncode == 0
    assert armed.read_text() == text


def test_without_the_variable_nothing_happens(tmp_path, monkeypatch):
    monkeypatch.delenv("ROADSTEAD_TEST_KILL_FILE", raising=False)
    assert _run().returncode == 0
