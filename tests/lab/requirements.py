"""What the lab needs from the machine; anything missing is an error, never a skip."""

import os
import shutil
from pathlib import Path

PACKAGES = {
    "apt-get": "apt",
    "busybox": "busybox-static",
    "conntrackd": "conntrackd",
    "cpio": "cpio",
    "dbus-daemon": "dbus",
    "depmod": "kmod",
    "dpkg-deb": "dpkg",
    "ethtool": "ethtool",
    "ganesha.nfsd": "nfs-ganesha nfs-ganesha-vfs",
    "ip": "iproute2",
    "libvirtd": "libvirt-daemon libvirt-daemon-driver-qemu",
    "mkfs.ext4": "e2fsprogs",
    "nft": "nftables",
    "nsenter": "util-linux",
    "ovs-vsctl": "openvswitch-switch",
    "ovs-vswitchd": "openvswitch-switch",
    "ovsdb-server": "openvswitch-switch",
    "qemu-system-x86_64": "qemu-system-x86",
    "rpcbind": "rpcbind",
    "setpriv": "util-linux",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "unshare": "util-linux",
}


class LabError(RuntimeError):
    """The lab cannot do what a test asked of it; the message says why."""


def require(*programs: str, devices: tuple[str, ...] = (), root: bool = False) -> None:
    """Return only if all of it is there; else say everything that is missing at once."""
    missing = [
        f"{program} (apt-get install {PACKAGES.get(program, '?')})"
        for program in programs
        if shutil.which(program) is None
    ]
    missing += [device for device in devices if not Path(device).exists()]
    if root and os.geteuid() != 0:
        missing.append("root privileges")
    if missing:
        raise LabError("the lab needs what this machine lacks: " + "; ".join(missing))
