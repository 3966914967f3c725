"""docs/drivers.md: its example, built as a stranger's package and installed in an environment that
has nothing of this repository, is a driver that works."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.docs.pages import DOCS, ROOT

_FILE = re.compile(r"^```\w+\n(# (\S+)\n.*?)^```", re.M | re.S)
_CONFIG = """
[backends.local]
pool = "plain"
export = "memory"
pool_options = {options}
"""
_MADE = """
import pathlib, roadstead
from roadstead.agent.backends import make_backends
from roadstead.config.load import load
(backend,) = make_backends(load("roadstead.toml", {}, state="state")).values()
backend.pool.ensure_pool()
print(roadstead.__file__)
print(*pathlib.Path("state/pools/local").iterdir())
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory with the test of the page; below it `env`, where both wheels are installed."""
    home = tmp_path_factory.mktemp("stranger")
    source, wheels, pins = home / "source", home / "wheels", home / "pins.txt"
    source.mkdir()
    for text, name in _FILE.findall((DOCS / "drivers.md").read_text()):
        (source / name).write_text(text)
    _uv("build", "--wheel", "-o", str(wheels), str(source))
    _uv("build", "--wheel", "-o", str(wheels), str(ROOT))
    _uv("venv", "--python", sys.executable, str(home / "env"))
    locked = re.findall(r"^\w\S*==\S+", (ROOT / "scripts/locks/dev.txt").read_text(), re.M)
    pins.write_text("\n".join(re.sub(r"\[.*?\]", "", pin) for pin in locked))
    (ours,) = wheels.glob("roadstead-*.whl")
    (theirs,) = wheels.glob("plain_pool-*.whl")
    wanted = [f"roadstead @ file://{ours}", f"plain-pool[test] @ file://{theirs}"]
    _uv("pip", "install", "--python", str(home / "env"), "-c", str(pins), *wanted)
    shutil.move(source / "test_plain_pool.py", home)
    yield home
    shutil.rmtree(home)


def _uv(*argv: str) -> None:
    """Done by uv, which setup found or made; from what it has kept, as far as that goes."""
    uv = shutil.which("uv") or str(ROOT / ".setup/tools/bin/uv")
    for where in (["--offline"], []):
        done = subprocess.run([uv, *argv, "--quiet", *where], capture_output=True, text=True)
        if done.returncode == 0:
            return
    pytest.fail(f"uv {argv[0]}: {done.stderr}")


def _run(stranger: Path, program: str, *argv: str) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": os.environ["PATH"], "HOME": str(stranger)}
    return subprocess.run(
        [str(stranger / "env/bin" / program), *argv],
        cwd=stranger,
        env=environ,
        capture_output=True,
        text=True,
    )


def _configure(stranger: Path, options: str = "{}") -> None:
    (stranger / "roadstead.toml").write_text(_CONFIG.format(options=options))


def test_it_passes_the_suite(stranger: Path):
    done = _run(stranger, "python", "-m", "pytest", "-q", "-rs", "test_plain_pool.py")
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed, done.stdout
    assert int(passed[1]) > 25
    skipped = [line for line in done.stdout.splitlines() if line.startswith("SKIPPED")]
    assert [line for line in skipped if "its info does not promise" not in line] == []


def test_it_gets_a_directory_of_its_own(stranger: Path):
    _configure(stranger)
    done = _run(stranger, "python", "-c", _MADE)
    assert done.returncode == 0, done.stderr
    imported, made = done.stdout.splitlines()
    assert Path(imported).is_relative_to(stranger / "env")
    below = stranger.resolve() / "state/pools/local"
    assert {str((stranger / m).resolve()) for m in made.split()} == {
        str(below / "shares"),
        str(below / "trash"),
    }


def test_its_options_are_printed(stranger: Path):
    shown = _run(stranger, "roadstead", "config", "--driver", "pools/plain").stdout
    assert "# Permissions of a new share's directory (whole number)\n# mode = 511\n" in shown
    assert '# directory = "<state_directory>/pools/NAME"\n' in shown
    _configure(stranger, "{ mode = 448 }")
    files = ("--config", "roadstead.toml", "--state", "state")
    force = _run(stranger, "roadstead", *files, "config", "--effective")
    assert force.returncode == 0, force.stderr
    options = tomllib.loads(force.stdout)["backends"]["local"]["pool_options"]
    assert options == {"directory": str(stranger / "state/pools/local"), "mode": 448}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("{ mod = 448 }", "backends.local.pool_options.mod: unknown; known: directory, mode"),
        ("{ mode = 512 }", "backends.local.pool_options.mode: Expected `int` <= 511"),
        ('{ mode = "all" }', "backends.local.pool_options.mode: Expected `int`, got `str`"),
    ],
)
def test_a_wrong_option_is_named(stranger: Path, options: str, said: str):
    _configure(stranger, options)
    files = ("--config", "roadstead.toml", "--state", "state")
    done = _run(stranger, "roadstead", *files, "config", "--effective")
    assert done.returncode != 0
    assert said in done.stderr
