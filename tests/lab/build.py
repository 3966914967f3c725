"""Build the guests' kernel and initramfs once: python -m tests.lab.build"""

import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.lab.image import fingerprint, make_initrd
from tests.lab.kernel import FLAVOUR, MODULES, fetch_kernel
from tests.lab.requirements import require

CACHE_VARIABLE = "ROADSTEAD_LAB_CACHE"


@dataclass(frozen=True)
class Image:
    """What a guest boots from."""

    kernel: Path
    initrd: Path


def cache_directory() -> Path:
    """Where built images are kept between test runs."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return Path(chosen).resolve() if chosen else Path(__file__).parents[2] / ".lab"


def build(cache: Path | None = None) -> Image:
    """Kernel and initramfs exist in the cache; made now if they did not."""
    require("apt-get", "busybox", "cpio", "depmod", "dpkg-deb")
    cache = cache or cache_directory()
    cache.mkdir(parents=True, exist_ok=True)
    # The cache ignores itself, wherever in a checkout somebody puts it.
    (cache / ".gitignore").write_text("*\n")
    with _locked(cache / "lock"):
        kernel = _kernel(cache)
        initrd = _initrd(cache, kernel)
    return Image(kernel=kernel / "vmlinux", initrd=initrd)


def _kernel(cache: Path) -> Path:
    wanted = hashlib.sha256(" ".join((FLAVOUR, *MODULES)).encode()).hexdigest()[:12]
    final = cache / f"kernel-{wanted}"
    if not final.is_dir():
        unfinished = cache / f"kernel-{wanted}.tmp"
        # Only a builder that died can have left it: we hold the lock.
        shutil.rmtree(unfinished, ignore_errors=True)
        fetch_kernel(unfinished)
        unfinished.rename(final)
    return final


def _initrd(cache: Path, kernel: Path) -> Path:
    final = cache / f"initrd-{fingerprint(kernel)}.img"
    if not final.is_file():
        unfinished = cache / f"{final.name}.tmp"
        make_initrd(kernel, unfinished)
        unfinished.rename(final)
    return final


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> None:
    """Build, and print where everything is."""
    began = time.monotonic()
    image = build()
    print(f"kernel {image.kernel}")
    print(f"initrd {image.initrd}")
    print(f"ready in {time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    main()
