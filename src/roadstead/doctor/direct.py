"""What `roadstead up` with the image pool and NFS-Ganesha needs: the direct road's checks."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from roadstead.config.sections import Config
from roadstead.drivers.host.durable import can_reflink
from roadstead.drivers.host.needs import (
    GANESHA_PLUGINS,
    MISSING,
    OK,
    WARN,
    Check,
    fact,
    filesystem,
    nearest_directory,
    opens,
    plugin,
    python_packages,
    tool,
)
from roadstead.model.errors import ConfigError
from roadstead.process.privileges import account_of

_LEAST_FREE_BYTES = 2 << 30


def direct(config: Config) -> Iterator[Check]:
    """What `roadstead up` with the image pool and NFS-Ganesha needs."""
    road = "direct"
    state = nearest_directory(Path(config.state_directory))
    yield fact(road, "root", os.geteuid() == 0, f"uid {os.geteuid()}", "run the agent as root")
    yield _api_user(road, config)
    yield opens(road, "loop devices", "/dev/loop-control", "modprobe loop")
    yield filesystem(road, "btrfs", "modprobe btrfs; every share is one")
    yield tool(road, "mkfs.btrfs", ["--version"], "apt install btrfs-progs")
    yield tool(road, "btrfstune", None, "apt install btrfs-progs")
    yield from _room_for_images(road, state)
    yield tool(road, "ganesha.nfsd", ["-v"], "apt install nfs-ganesha nfs-ganesha-vfs")
    yield plugin(road, GANESHA_PLUGINS)
    yield tool(road, "dbus-daemon", ["--version"], "apt install dbus-daemon")
    yield tool(road, "nsenter", ["--version"], "apt install util-linux")
    yield python_packages(road, ("dbos", "granian", "falcon", "sqlalchemy", "bcrypt", "jeepney"))


def _api_user(road: str, config: Config) -> Check:
    try:
        account = account_of(config.api.user)
    except ConfigError as error:
        return Check(road=road, name="API user", state=MISSING, fix=str(error))
    return Check(road=road, name="API user", state=OK, found=f"{account.name} ({account.uid})")


def _room_for_images(road: str, state: Path) -> Iterator[Check]:
    """Reflinks of the state directory itself, or the XFS image that stands in; and room."""
    if not os.access(state, os.W_OK):
        yield Check(road=road, name="state directory", state=MISSING, found=f"{state} not writable")
        return
    with tempfile.TemporaryDirectory(dir=state, prefix=".doctor-") as scratch:
        shares_blocks = can_reflink(Path(scratch))
    if shares_blocks:
        yield Check(road=road, name="reflink", state=OK, found=f"{state} shares blocks")
    else:
        found = f"{state} cannot; the pool makes an XFS image for it"
        yield Check(road=road, name="reflink", state=OK, found=found)
        yield filesystem(road, "xfs", "modprobe xfs, or keep the pool on XFS or btrfs")
        yield tool(road, "mkfs.xfs", ["-V"], "apt install xfsprogs")
    free = shutil.disk_usage(state).free
    yield Check(
        road=road,
        name="disk",
        state=OK if free >= _LEAST_FREE_BYTES else WARN,
        found=f"{free / 2**30:.1f} GiB free at {state}",
        fix="little room for shares",
    )
