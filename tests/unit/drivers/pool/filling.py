"""Filling a share, as a user does it, and filling a pool behind its back."""

import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from roadstead.drivers.pool.image import backing
from roadstead.drivers.pool.image.driver import ImagePool
from tests.unit.drivers.pool.worlds import MIB

_BLOCK = os.urandom(MIB)


def write(path: Path, size_bytes: int) -> int:
    """How many bytes of so many went into the file before there was no space left."""
    with path.open("wb", buffering=0) as file:

        def go_on(_: int) -> int:
            return file.write(_BLOCK[: size_bytes - file.tell()])

        for _ in _until_full(go_on, -(-size_bytes // MIB)):
            pass
        os.fsync(file.fileno())
        return file.tell()


def allocate(path: Path, size_bytes: int) -> None:
    """The file has so much room and takes no block of the pool, as a VM's disk image may."""
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size_bytes)


def small_files(directory: Path, size_bytes: int, count: int) -> int:
    """How many files of that size, of so many, could be made in a new directory."""

    def make(number: int) -> int:
        return Path(directory, str(number)).write_bytes(_BLOCK[:size_bytes])

    directory.mkdir()
    return sum(1 for _ in _until_full(make, count))


def fill_pool(pool: ImagePool, *, leave: int) -> Path:
    """A file in the pool that takes all its room but `leave` bytes."""
    path = pool.layout.pool / "ballast"
    with path.open("wb") as file:
        at, step = 0, 64 << 20
        while step >= 4096:
            if backing.room(pool.layout)[1] - step < leave:
                step //= 2
                continue
            try:
                os.posix_fallocate(file.fileno(), at, step)
                at += step
            except OSError:
                step //= 2
    return path


def assert_full(directory: Path) -> None:
    """Nothing can be written, and "no space left on device" says why."""
    with pytest.raises(OSError, match="No space left"):
        Path(directory, "more").write_bytes(_BLOCK * 64)


def _until_full(make: Callable[[int], int], count: int) -> Iterator[int]:
    for number in range(count):
        if not _tried(lambda number=number: make(number)):
            return
        yield number


def _tried(write: Callable[[], int | None]) -> int:
    try:
        return write() or 0
    except OSError as error:
        if error.errno != errno.ENOSPC:
            error.add_note(f"the kernel said:\n{_kernel_log()}\n{_room()}")
            raise
        return 0


def _kernel_log() -> str:
    """Why the filesystem gave up, as far as the kernel tells."""
    done = subprocess.run(["dmesg"], check=False, capture_output=True, text=True)
    telling = ("error", "critical", "aborted", "No space", "allocation failure", "oom")
    told = [line for line in done.stdout.splitlines() if any(word in line for word in telling)]
    return "\n".join(told[-12:]) or done.stderr


def _room() -> str:
    return subprocess.run(["df", "-m", "/tmp"], check=False, capture_output=True, text=True).stdout
