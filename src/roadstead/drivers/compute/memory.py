"""The mounts of a compute host without a host: for tests, and as the shortest complete example."""

import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from roadstead.drivers.base.options import DriverOptions, Where
from roadstead.drivers.compute.layout import Layout
from roadstead.drivers.host.nfs.means import KINDS
from roadstead.model import hosts as h
from roadstead.model import world as w
from roadstead.model.documented import doc
from roadstead.model.errors import Conflict, InUse, NotFound, Unsupported


class MemoryMounts:
    """Mounts as entries of dicts; see `roadstead.drivers.base.compute.HostMounts`.

    `fail["ensure_bound"] = Transient("…")` makes that method raise, before it does anything, until
    the entry is deleted. `served` holds the attachments that something serves to a VM now.
    """

    class Options(DriverOptions, frozen=True):
        """Where they seem to be."""

        directory: Annotated[str, doc("What paths of mounts begin with")] = "/memory/compute"

        @classmethod
        def defaults(cls, where: Where) -> dict[str, Any]:
            return {"directory": where.mounts}

    def __init__(self, options: Options) -> None:
        self.layout = Layout(options.directory)
        self.fail: dict[str, Exception] = {}
        self.served: set[str] = set()
        self._mounts: dict[str, h.MountSpec] = {}  # by path
        self._binds: dict[str, h.BindSpec] = {}  # by attachment id
        self._lock = threading.RLock()

    def capabilities(self) -> h.MountFacts:
        """Everything can be mounted."""
        return h.MountFacts(
            nfs_client="kernel", cephfs_client="kernel", directory=str(self.layout.directory)
        )

    def ensure_ready(self) -> None:
        """Always ready."""
        with self._called("ensure_ready"):
            pass

    def ensure_mounted(self, spec: h.MountSpec) -> str:
        """The path where the share would be mounted."""
        with self._called("ensure_mounted"):
            path = str(self.layout.mount(spec.instance_id, spec.level))
            if spec.kind not in KINDS:
                raise Unsupported(f"a mount of kind {spec.kind!r} is none of {', '.join(KINDS)}")
            if self._mounts.get(path, spec) != spec and self._users(path):
                raise Conflict(f"{path} shows {self._mounts[path].source}, and is in use")
            self._mounts[path] = spec
            return path

    def ensure_unmounted(self, instance_id: str, level: str) -> None:
        """The share is not mounted at that level. InUse while an attachment is bound to it."""
        with self._called("ensure_unmounted"):
            path = str(self.layout.mount(instance_id, level))
            if self._users(path):
                raise InUse(f"an attachment uses share {instance_id}")
            self._mounts.pop(path, None)

    def ensure_bound(self, spec: h.BindSpec) -> str:
        """The path of the attachment's own view of the share. There are no directories in memory,
        but for those that a real share could not have either."""
        with self._called("ensure_bound"):
            path = str(self.layout.bind(spec.mount, spec.attachment_id))
            share = self._mounts.get(spec.mount)
            if share is None:
                raise NotFound(f"nothing is mounted at {spec.mount}")
            if share.level == "ro" and not spec.read_only:
                raise Conflict(f"{spec.mount} is mounted read-only")
            if self._binds.get(spec.attachment_id, spec) != spec:
                raise Conflict(f"attachment {spec.attachment_id} is bound otherwise")
            if ".." in spec.subdirectory.split("/") or spec.subdirectory.startswith("/"):
                raise NotFound(f"the share has no directory {spec.subdirectory!r}")
            self._binds[spec.attachment_id] = spec
            return path

    def ensure_unbound(self, attachment_id: str) -> None:
        """The attachment has no view. InUse while it is served."""
        with self._called("ensure_unbound"):
            if attachment_id in self._binds and attachment_id in self.served:
                raise InUse(f"attachment {attachment_id} is served to a VM")
            self._binds.pop(attachment_id, None)

    def ensure_all_unmounted(self) -> None:
        """No share and no view is mounted. InUse while something is served."""
        with self._called("ensure_all_unmounted"):
            busy = self.served & self._binds.keys()
            self._binds = {name: self._binds[name] for name in busy}
            self._mounts = {path: s for path, s in self._mounts.items() if self._users(path)}
            if busy:
                raise InUse(f"attachment {min(busy)} is served to a VM")

    def is_bound(self, path: str, *, read_only: bool) -> bool:
        """Whether an attachment has its view at that path, with at most that level."""
        with self._lock:
            found = [s for s in self._binds.values() if self._path(s) == path]
            return bool(found) and (found[0].read_only or not read_only)

    def inventory(self) -> Iterator[w.Mark]:
        """Every share and every view."""
        with self._called("inventory"):
            found = [*self._mount_marks(), *self._bind_marks()]
        yield from found

    def _mount_marks(self) -> Iterator[w.Mark]:
        for path, spec in self._mounts.items():
            facts: dict[str, object] = {
                "instance_id": spec.instance_id,
                "level": spec.level,
                "source": spec.source,
                "users": self._users(path),
            }
            yield w.Mark(kind="mount", id=f"{spec.instance_id}/{spec.level}", facts=facts)

    def _bind_marks(self) -> Iterator[w.Mark]:
        for attachment_id, spec in self._binds.items():
            facts: dict[str, object] = {"mount": spec.mount, "read_only": spec.read_only}
            yield w.Mark(kind="bind", id=attachment_id, facts=facts)

    def _users(self, path: str) -> list[str]:
        return [name for name, spec in self._binds.items() if spec.mount == path]

    def _path(self, spec: h.BindSpec) -> str:
        return str(self.layout.bind(spec.mount, spec.attachment_id))

    @contextmanager
    def _called(self, method: str) -> Generator[None]:
        with self._lock:
            if method in self.fail:
                raise self.fail[method]
            yield
