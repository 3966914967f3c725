"""Two gateways for the same shares on two hosts, of which one has the addresses."""

import msgspec


class PairSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One gateway's part in the election of who has the addresses."""

    interface: str  # its leg on the storage network: the two hear each other there, nowhere else
    own: str  # its own address there
    peer: str  # the other's
    neighbours: tuple[str, ...] = ()  # who else is there; if nobody answers, the leg is cut
    first: bool  # it has the addresses while both live
    addresses: dict[str, tuple[str, ...]]  # with prefix length, by interface
