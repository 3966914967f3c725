"""A backend that cannot have its roads keeps everything from starting."""

import subprocess
import sys

import pytest

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
