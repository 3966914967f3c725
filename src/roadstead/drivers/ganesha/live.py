"""What a running NFS-Ganesha really serves."""

import ipaddress
from collections.abc import Sequence
from typing import Any

import msgspec

from roadstead.drivers.ganesha import conf
from roadstead.drivers.ganesha.bus import GaneshaBus
from roadstead.model.ids import instance_of_pseudo_path, pseudo_path

# include/nfs_exports.h: EXPORT_OPTION_READ_ACCESS, EXPORT_OPTION_WRITE_ACCESS
_READ, _WRITE = 0x20, 0x40


class LiveExport(msgspec.Struct, frozen=True, kw_only=True):
    """One export in force. `clients` is (network, level) in the order in which they are matched."""

    export_id: int
    pseudo: str
    path: str
    clients: list[tuple[str, str]]

    @property
    def instance_id(self) -> str | None:
        """The share instance it is; None when it is none of ours."""
        return instance_of_pseudo_path(self.pseudo)

    def is_of(self, instance_id: str) -> bool:
        """Whether this share instance is behind it."""
        return self.pseudo == pseudo_path(instance_id)

    def admits_as(self, stored: conf.StoredExport) -> bool:
        """Whether exactly the stored clients are admitted."""
        return self.clients == conf.served_clients(stored.admitted)


def find_live(bus: GaneshaBus, export_id: int) -> LiveExport | None:
    """The export of that number; None when it is not served. Transient: no answer."""
    return live_exports(bus, [export_id]).get(export_id)


def live_exports(bus: GaneshaBus, export_ids: Sequence[int] | None = None) -> dict[int, LiveExport]:
    """Everything served, or those of these numbers that are. Transient: no answer."""
    numbers = list(bus.show_exports()) if export_ids is None else export_ids
    return {number: _live(answer) for number, answer in bus.display_exports(numbers).items()}


def _live(answer: tuple[Any, ...]) -> LiveExport:
    export_id, path, pseudo, _, clients = answer
    return LiveExport(
        export_id=export_id,
        path=path,
        pseudo=pseudo,
        clients=[(_network(client[0]), _level(client[8])) for client in clients],
    )


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        return text


def _level(options: int) -> str:
    if options & _WRITE:
        return "rw"
    return "ro" if options & _READ else "none"
