"""A backend that cannot have its roads keeps everything from starting."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from roadstead.config.load import load, write_effective

GATEWAY = '[backends.nas]\npool = "filer"\nexport = "gateway"\nroads = ["gateway"]\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (GATEWAY, "backends.nas.filer.addresses: needed for road gateway"),
        ('[backends.a]\nroads = ["lens"]\n', "backends.a.roads: no road 'lens'; known: "),
        ('[backends.a]\nstandby = "b"\n', "backends.a.standby: for export gateway only"),
    ],
)
def test_up_says_the_key_and_leaves_nothing(tmp_path, text, told):
    file, state = tmp_path / "roadstead.toml", tmp_path / "state"
    file.write_text(text)
    argv = [sys.executable, "-m", "roadstead.up.supervisor"]
    argv += ["--config", str(file), "--state", str(state)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"roadstead: {told}")
    assert not state.exists()


def test_an_agent_with_a_wrong_option_says_the_key_and_is_not_started_again(tmp_path):
    file = tmp_path / "roadstead.toml"
    file.write_text(
        'backends.a = { pool = "memory", export = "memory", pool_options = { total_gigs = 5 } }\n'
    )
    effective = tmp_path / "config.json"
    write_effective(load(file, {}, state=tmp_path), effective)
    argv = [sys.executable, "-m", "roadstead.agent", "--config", str(effective)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == os.EX_CONFIG
    told = "backends.a.pool_options.total_gigs: unknown; known: total_gib, path"
    assert done.stderr == f"roadstead: {told}\n"


def test_an_old_name_of_a_key_is_told_in_one_line(tmp_path):
    file = tmp_path / "roadstead.toml"
    file.write_text('grant_timeout_seconds = 7\n[backends.a]\nroads = ["lens"]\n')
    given = ["--config", str(file), "--state", str(tmp_path)]
    for argv in (
        [sys.executable, "-m", "roadstead.up.supervisor", *given],
        [str(Path(sys.executable).with_name("roadstead")), "drift", *given],
    ):
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        first, second = done.stderr.splitlines()
        assert first == "roadstead: grant_timeout_seconds: is called operation_timeout_seconds now"
        assert second.startswith("roadstead: backends.a.roads: no road 'lens'")
