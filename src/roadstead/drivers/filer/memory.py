"""A filer without a world: for tests, and as the shortest complete example of a filer control."""

import os
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Annotated

from roadstead.drivers.base.filer import FilerExport, FilerInfo
from roadstead.drivers.base.options import DriverOptions
from roadstead.drivers.filer import paths
from roadstead.model import world as w
from roadstead.model.documented import doc
from roadstead.model.errors import Conflict, DriverError, Unsupported
from roadstead.model.ids import pseudo_path


class MemoryFiler:
    """Exports as entries of a dict; see `roadstead.drivers.base.filer.FilerControl`.

    `exports` is what the filer serves, by the name its clients mount; an entry a test puts there
    is the administrator's. With `limits_size` it refuses limits below what lies in a directory
    really there. `fail["ensure_export"] = Transient("…")` makes that method raise, before it does
    anything, until the entry is deleted.
    """

    class Options(DriverOptions, frozen=True):
        """What it can do."""

        limits_size: Annotated[
            bool, doc("It refuses limits below what lies in a directory really there")
        ] = False

    def __init__(self, options: Options) -> None:
        self.info = FilerInfo(kind="memory", limits_size=options.limits_size)
        self.exports: dict[str, FilerExport | None] = {}
        self.sizes: dict[str, int] = {}  # by path
        self.fail: dict[str, Exception] = {}
        self.calls: list[tuple[str, str]] = []  # (method, what it was about), of the effects
        self._lock = threading.RLock()

    def name_of(self, instance_id: str, path: str) -> str:
        """As the Protocol says: ours to choose."""
        return pseudo_path(instance_id)

    def flow_sources(self, instance_id: str) -> None:
        """Any."""

    def ensure_export(self, spec: FilerExport) -> None:
        """The directory is exported to exactly these clients."""
        paths.check(spec)
        with self._called("ensure_export", spec.instance_id):
            there = self.exports.get(spec.name, spec)
            if there is None or there.instance_id != spec.instance_id:
                raise Conflict(f"{spec.name} is somebody else's on the filer")
            self._forget(spec.instance_id)
            self.exports[spec.name] = spec

    def ensure_export_absent(self, instance_id: str) -> None:
        """The share is not exported."""
        with self._called("ensure_export_absent", instance_id):
            self._forget(instance_id)

    def ensure_size(self, path: str, size_bytes: int) -> None:
        """Remembered. DriverError 018 when more lies there."""
        with self._called("ensure_size", path):
            if not self.info.limits_size:
                raise Unsupported("this filer limits no sizes")
            if _used(path) > size_bytes:
                raise DriverError("there is more in the share", detail_id="018")
            self.sizes[path] = size_bytes

    def inventory(self) -> Iterator[w.Mark]:
        """Every export that is ours."""
        with self._called("inventory"):
            for spec in list(self.exports.values()):
                if spec is not None:
                    facts: dict[str, object] = {
                        "export_id": spec.export_id,
                        "path": spec.path,
                        "name": spec.name,
                        "clients": dict(spec.clients),
                    }
                    yield w.Mark(kind="export", id=spec.instance_id, facts=facts)

    def _forget(self, instance_id: str) -> None:
        for name, spec in list(self.exports.items()):
            if spec is not None and spec.instance_id == instance_id:
                del self.exports[name]

    @contextmanager
    def _called(self, method: str, about: str = "") -> Generator[None]:
        with self._lock:
            if method in self.fail:
                raise self.fail[method]
            if about:
                self.calls.append((method, about))
            yield


def _used(path: str) -> int:
    return sum(
        os.lstat(os.path.join(directory, name)).st_size
        for directory, _, names in os.walk(path)
        for name in names
    )
