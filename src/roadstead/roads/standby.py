"""What this machine stands by for: the gateways of a backend that another host's agent has."""

import msgspec

from roadstead.drivers.base.failover import Mirror
from roadstead.model.share_networks import Subnet


class Standby(msgspec.Struct, frozen=True, kw_only=True):
    """One `[standbys.<name>]`."""

    name: str
    active: str  # host@backend
    storage: tuple[Subnet, ...]  # as the backend itself has it
    filer: tuple[str, ...]  # its addresses
    export: Mirror
