"""Debian packages that are unpacked for the lab; nothing is installed on this machine."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from typing import TYPE_CHECKING

from tests.lab.build import cache_directory
from tests.lab.requirements import LabError, require

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def unpacked(package: str) -> Path:
    """The root of that package's files; fetched if this machine has none yet."""
    require("apt-get", "dpkg-deb", root=True)
    directory = cache_directory() / f"package-{package}"
    cache_directory().mkdir(parents=True, exist_ok=True)
    with (cache_directory() / "packages.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not directory.is_dir():
            unfinished = directory.with_suffix(".tmp")
            shutil.rmtree(unfinished, ignore_errors=True)
            (work := unfinished / "deb").mkdir(parents=True)
            unpack([package], work, unfinished)
            shutil.rmtree(work)
            unfinished.rename(directory)
    return directory


def unpack(packages: Sequence[str], work: Path, root: Path) -> None:
    """Their files are below root; `work` is an empty directory for what comes from the mirror."""
    # Without the option apt drops to a user who may not write into our directory.
    argv = ["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", *packages]
    done = subprocess.run(argv, cwd=work, capture_output=True, check=False)
    if done.returncode != 0:
        # A machine may have no package lists, or lists that name a version already gone.
        run("apt-get", "update", "-qq")
        run(*argv, cwd=work)
    for package in work.glob("*.deb"):
        run("dpkg-deb", "-x", str(package), str(root))


def run(*argv: str, cwd: Path | None = None) -> None:
    """The command succeeded; LabError with what it said otherwise."""
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"{' '.join(argv)}: {done.stdout}{done.stderr}")
