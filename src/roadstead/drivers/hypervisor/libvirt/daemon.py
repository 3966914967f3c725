"""The host's virtiofsd: which one it is, how it is started as we want it, where it runs.

libvirt starts it, and passes on only a few of its options. The others go into a tiny script for
each attachment, which libvirt takes for the daemon. `source=` in its command line tells whose a
running daemon is: the last part of that path is the attachment's id.
"""

import contextlib
import re
import shlex
from pathlib import Path

from roadstead.drivers.host import mount_table as table
from roadstead.drivers.host import process
from roadstead.drivers.host.exec import run
from roadstead.drivers.hypervisor.checks import version
from roadstead.model import ids
from roadstead.model.errors import DriverError, Transient
from roadstead.model.hosts import VirtiofsdFacts
from roadstead.process.files import write_durably

# The Rust daemon first: it can do more, and the other one is not maintained any more.
PLACES = ("/usr/libexec/virtiofsd", "/usr/lib/virtiofsd", "/usr/lib/qemu/virtiofsd")
ID_COUNT = 65536
_VERSION = re.compile(r"virtiofsd\D*(\d+(?:\.\d+)+)")
_SOURCE = re.compile(r"(?:^|,)source=([^,]+)|^--shared-dir=(.+)")
_SOURCE_NEXT = "--shared-dir"  # newer libvirts write it as two words
# The Rust daemon's features, by the version that brought them.
_RUST = (
    ("sgid-safe", "1.0"),
    ("file-handles", "1.0"),
    ("cache-metadata", "1.11"),
    ("migration", "1.13"),
    ("readonly", "1.13"),
    ("translate-ids", "1.13"),
)


def find(path: str = "") -> VirtiofsdFacts | None:
    """The virtiofsd at that path, else at one of the usual places; None when there is none."""
    for place in (path,) if path else PLACES:
        with contextlib.suppress(DriverError, Transient, OSError):
            return parse(run([place, "--version"], timeout=10), place)
    return None


def parse(text: str, path: str) -> VirtiofsdFacts:
    """The facts in what `virtiofsd --version` prints. DriverError when it is something else."""
    found = _VERSION.search(text)
    if found is None:
        raise DriverError(f"{path} is not virtiofsd")
    number = found[1]
    if "FUSE kernel interface" in text:  # only QEMU's says so
        # 7.0 has the fix of CVE-2022-0358: files in a set-group-ID directory kept a group of root.
        safe = ("sgid-safe",) if version(number) >= (7, 0) else ()
        return VirtiofsdFacts(flavour="c", version=number, path=path, features=("locks", *safe))
    features = tuple(name for name, since in _RUST if version(number) >= version(since))
    return VirtiofsdFacts(flavour="rust", version=number, path=path, features=features)


def options(
    facts: VirtiofsdFacts,
    *,
    read_only: bool,
    id_base: int | None,
    cache: str,
    plain: bool = False,
) -> list[str]:
    """What the daemon is to be told and libvirt cannot say; with `plain`, nothing that would only
    be better."""
    if facts.flavour != "rust" or (plain and id_base is None and cache != "metadata"):
        return []
    chosen: list[str] = []
    if "file-handles" in facts.features:
        chosen.append("--inode-file-handles=prefer")  # else one open file for every file ever seen
    if read_only and "readonly" in facts.features:
        chosen.append("--readonly")
    if id_base is not None:
        chosen += [f"--translate-{kind}=map:0:{id_base}:{ID_COUNT}" for kind in ("uid", "gid")]
    if cache == "metadata":
        chosen.append("--cache=metadata")
    return chosen


class Wrappers:
    """The scripts, one for each attachment whose daemon needs options."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def path(self, attachment_id: str) -> Path:
        """Where the attachment's script lies, if it has one."""
        return self._directory / attachment_id

    def ensure(self, attachment_id: str, daemon: str, chosen: list[str]) -> str:
        """The program that libvirt is to start: the daemon itself where no options are needed."""
        if not chosen:
            return daemon
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o755)
        path = self.path(attachment_id)
        text = f'#!/bin/sh\nexec {shlex.join([daemon, *chosen])} "$@"\n'
        write_durably(path, text, mode=0o755)
        return str(path)

    def translates(self, attachment_id: str) -> bool:
        """Whether the attachment's daemon moves the guest's ids."""
        try:
            return "--translate-uid=" in self.path(attachment_id).read_text()
        except FileNotFoundError:
            return False

    def ensure_absent(self, attachment_id: str) -> None:
        """The attachment has no script."""
        self.path(attachment_id).unlink(missing_ok=True)


def running(sources: Path) -> dict[str, list[int]]:
    """Process ids of the daemons that serve something beneath `sources`, by attachment id."""
    found: dict[str, list[int]] = {}
    for pid, words in process.command_lines():
        source = _source(words) if any("virtiofsd" in word for word in words) else None
        if source is not None and source.is_relative_to(sources) and ids.is_uuid(source.name):
            found.setdefault(source.name, []).append(pid)
    return found


def serves(pids: list[int], share: table.Seen) -> bool:
    """Whether one of the processes has the share for its root directory, as its sandbox makes it.

    Another directory means that libvirt did not see the mount and took what lies beneath it.
    """
    for pid in pids:
        with contextlib.suppress(OSError):
            root = table.root_of(pid)
            if root and (root.device, root.root) == (share.device, share.root):
                return True
    return False


def _source(words: list[str]) -> Path | None:
    if _SOURCE_NEXT in words[:-1]:
        return Path(words[words.index(_SOURCE_NEXT) + 1])
    matches = [match for word in words if (match := _SOURCE.search(word))]
    return Path(matches[0][1] or matches[0][2]) if matches else None
