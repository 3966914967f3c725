"""What passes between the recipes and the drivers: wanted things (*Spec), identities (*Ref),
and what is found in the world (Mark, Stats)."""

import msgspec


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """How one share passes a gateway: where tenants find it, and as whom the filer sees them."""

    addresses: tuple[str, ...]  # on the tenant's segment; what clients of this share mount
    sources: dict[str, tuple[str, ...]]  # on the storage network, by access level; one a family


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where an export server runs: the host, or one share server's network namespace."""

    id: str  # "host-<backend>" or a share server's id; names its processes and directories
    netns: str | None = None  # name below /run/netns; None = the agent's own namespace
    addresses: tuple[str, ...] = ()  # what clients mount; IPv4 or IPv6 literals
    storage: tuple[str, ...] = ()  # a gateway's own addresses on its storage network
    flows: dict[str, Flow] = {}  # a gateway's, by share instance


class ShareSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A share instance wanted in a pool."""

    instance_id: str
    size_bytes: int


class SnapshotRef(msgspec.Struct, frozen=True, kw_only=True):
    instance_id: str  # the origin
    snapshot_id: str


class ShareOnDisk(msgspec.Struct, frozen=True, kw_only=True):
    """A share instance as it is in the world; `path` is its root directory, ready to export."""

    instance_id: str
    path: str
    size_bytes: int


class PoolStats(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes. `allocated` is what the shares really occupy, `provisioned` what they were promised
    (thin pools: may exceed `total`)."""

    total: int
    free: int
    allocated: int
    provisioned: int


class PoolInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a pool can do. API behaviour, scheduler and conformance tests read it."""

    kind: str
    isolation: str  # "strong": one superblock per share; "weak": handles can be forged across
    snapshot: bool = False
    clone: bool = False  # create a share from a snapshot
    revert: bool = False
    shrink: bool = False  # online; below the used size is refused with DriverError detail 018
    thin: bool = False
    min_bytes: int = 0
    enforces_size: bool = True  # False: a share may grow beyond its size, only the pool stops it


class ExportInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What an export server can do."""

    kind: str
    protocols: tuple[str, ...]  # "NFS", "CIFS"
    access_levels: tuple[str, ...] = ("rw", "ro")
    ipv6: bool = True
    gateway: str | None = None  # "l4" | "proxy": it passes on what somebody else's filer serves


class ExportSpec(msgspec.Struct, frozen=True, kw_only=True):
    instance_id: str
    export_id: int  # 1..65535, kept in the database: NFS handles contain it
    path: str  # the share's root directory on this host
    proto: str
    place: Place
    owner: str = ""  # a project: users are accounts of one owner's; "" = the share's own


class ExportRef(msgspec.Struct, frozen=True, kw_only=True):
    instance_id: str
    export_id: int
    place: Place


class ExportPath(msgspec.Struct, frozen=True, kw_only=True):
    """One export location: `10.0.0.1:/share-…`, `[fd00::1]:/share-…`."""

    path: str
    preferred: bool = False
    is_admin_only: bool = False


class RuleSpec(msgspec.Struct, frozen=True, kw_only=True):
    rule_id: str
    access_type: str
    access_to: str
    access_level: str
    access_key: str | None = None  # what an outcome said before; the password to be, if any


class RuleOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one rule; `problem` is None when it is in force."""

    rule_id: str
    problem: str | None = None
    access_key: str | None = None


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """What one client got that really connected: `admitted` to the share's root directory,
    `refused` by an answer that says so, or an `error`: no answer, or one that should not be."""

    server: str  # address connected to
    source: str  # address connected from
    outcome: str
    milliseconds: float = 0.0
    nfs_status: str | None = None  # e.g. NFS4ERR_NOENT; None when there was no such answer
    detail: str = ""


class Session(msgspec.Struct, frozen=True, kw_only=True):
    client: str  # address


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """Something in the world that bears our sign.

    `kind` is share, snapshot, export, trash, server, …; `id` the owning resource's id. `facts`
    hold what can be compared with the database (size_bytes, path, clients, …); `broken` says what
    is missing (e.g. "not mounted"), None when whole.
    """

    kind: str
    id: str
    facts: dict[str, object] = {}
    broken: str | None = None
