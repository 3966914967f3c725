"""What a filer's control must offer: somebody else's NFS server, on which we may make export
rules. The rules of `drivers.base` hold here, too.

A filer never hears of tenants or their addresses: its rules name addresses of gateways on the
storage network only.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

import msgspec

from roadstead.model import world as w


class FilerInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What can be asked of the filer."""

    kind: str
    limits_size: bool = False  # ensure_size makes the filer refuse more than that
    fixed: bool = False  # its exports are the administrator's; nothing can be changed


class FilerExport(msgspec.Struct, frozen=True, kw_only=True):
    """An export wanted on the filer."""

    instance_id: str
    export_id: int  # ours; on the filer the number may be another
    path: str  # the share's root directory, as the filer calls it
    name: str  # what clients of the filer mount
    clients: dict[str, str] = {}  # {address of a gateway: level}; {} = nobody


class FilerControl(Protocol):
    """The export rules of one filer."""

    info: FilerInfo

    def name_of(self, instance_id: str, path: str) -> str:
        """What clients mount for the share whose directory that is: where the filer lets us
        choose, ids.pseudo_path."""
        ...

    def flow_sources(self, instance_id: str) -> Mapping[str, Sequence[str]] | None:
        """{level: storage-side addresses} that the filer's rules name for the share already, and
        a gateway has to use; None: any, we tell the filer which."""
        ...

    def ensure_export(self, spec: FilerExport) -> None:
        """The filer exports the directory to exactly these clients; a session of a client that
        is not among them any more is refused from the next request on.

        Conflict when the name is somebody else's there, Transient while the filer does not answer.
        """
        ...

    def ensure_export_absent(self, instance_id: str) -> None:
        """The filer does not export the share."""
        ...

    def ensure_size(self, path: str, size_bytes: int) -> None:
        """The filer takes no more than so many bytes below the directory. Unsupported unless
        `info.limits_size`; DriverError 018 when there is more already."""
        ...

    def inventory(self) -> Iterator[w.Mark]:
        """Every export there that is ours: kind export, id = instance id; facts export_id, path,
        name, clients."""
        ...


@runtime_checkable
class FilerTree(Protocol):
    """What a pool offers besides when its bytes are on a filer."""

    def exported(self) -> Iterator[w.Mark]:
        """What the filer exports of this pool's shares, whether a gateway knows of it or not.
        Transient while it does not answer."""
        ...

    def ensure_unexported(self, instance_id: str) -> None:
        """The filer does not export the share."""
        ...
