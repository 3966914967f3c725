"""What a driver can be told by the configuration, and what it is told without.

A driver class names its options in a class `Options` of its own; its constructor takes one of
those. What only the world can give (the filer's control, a pool's name) is handed to the
constructor by name beside it, and is no option.
"""

from typing import Any

import msgspec


class Where(msgspec.Struct, frozen=True, kw_only=True):
    """Where a driver works. Both directories are this driver's alone: nobody else writes there,
    and nobody has made them yet."""

    name: str  # the backend's, or the host's for what a host has one of
    state_directory: str  # kept for good
    run_directory: str  # gone after a reboot; for sockets, process ids, logs
    owner: str  # this service, among all that may run on one machine; fit for a device's alias
    mounts: str = ""  # where a compute host has its shares mounted; of hypervisors and host mounts


class DriverOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A driver's keys in the configuration: `Annotated[type, doc("…")]` each, see
    `model.documented`. A field without a default must be given."""

    @classmethod
    def defaults(cls, where: Where) -> dict[str, Any]:
        """Keys whose default depends on where the driver works."""
        return {}


class Examined(msgspec.Struct, frozen=True, kw_only=True):
    """Of what `roadstead doctor` asks a driver's `doctor(options, examined)`, an optional class
    method that gives checks (see `drivers.host.needs`) and leaves nothing behind."""

    road: str  # under which the findings are shown
    name: str  # the backend's, or the host's
    listens_here: bool = False  # its servers would use this host's own ports
    serving: bool = False  # Roadstead runs on this host now, so what is in use may be ours
