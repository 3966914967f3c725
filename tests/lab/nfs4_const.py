"""Numbers of NFSv4.1 (RFC 5661) and the decoding of file attributes."""

from collections.abc import Callable
from enum import IntEnum

from tests.lab.xdr import Packer, Unpacker


class Op(IntEnum):
    """Operations of a COMPOUND."""

    ACCESS = 3
    CLOSE = 4
    CREATE = 6
    GETATTR = 9
    GETFH = 10
    LOOKUP = 15
    LOOKUPP = 16
    OPEN = 18
    PUTFH = 22
    PUTROOTFH = 24
    READ = 25
    READDIR = 26
    READLINK = 27
    REMOVE = 28
    RENAME = 29
    RESTOREFH = 31
    SAVEFH = 32
    SETATTR = 34
    WRITE = 38
    EXCHANGE_ID = 42
    CREATE_SESSION = 43
    DESTROY_SESSION = 44
    SEQUENCE = 53
    DESTROY_CLIENTID = 57
    RECLAIM_COMPLETE = 58


STATUS = {
    1: "PERM",
    2: "NOENT",
    5: "IO",
    6: "NXIO",
    13: "ACCESS",
    17: "EXIST",
    18: "XDEV",
    20: "NOTDIR",
    21: "ISDIR",
    22: "INVAL",
    27: "FBIG",
    28: "NOSPC",
    30: "ROFS",
    31: "MLINK",
    63: "NAMETOOLONG",
    66: "NOTEMPTY",
    69: "DQUOT",
    70: "STALE",
    10001: "BADHANDLE",
    10003: "BAD_COOKIE",
    10004: "NOTSUPP",
    10005: "TOOSMALL",
    10006: "SERVERFAULT",
    10007: "BADTYPE",
    10008: "DELAY",
    10011: "EXPIRED",
    10012: "LOCKED",
    10013: "GRACE",
    10014: "FHEXPIRED",
    10015: "SHARE_DENIED",
    10016: "WRONGSEC",
    10018: "RESOURCE",
    10019: "MOVED",
    10020: "NOFILEHANDLE",
    10021: "MINOR_VERS_MISMATCH",
    10022: "STALE_CLIENTID",
    10023: "STALE_STATEID",
    10024: "OLD_STATEID",
    10025: "BAD_STATEID",
    10026: "BAD_SEQID",
    10029: "SYMLINK",
    10032: "ATTRNOTSUPP",
    10036: "BADXDR",
    10038: "OPENMODE",
    10040: "BADCHAR",
    10041: "BADNAME",
    10044: "OP_ILLEGAL",
    10046: "FILE_OPEN",
    10047: "ADMIN_REVOKED",
    10052: "BADSESSION",
    10053: "BADSLOT",
    10054: "COMPLETE_ALREADY",
    10055: "CONN_NOT_BOUND_TO_SESSION",
    10063: "SEQ_MISORDERED",
    10065: "REQ_TOO_BIG",
    10066: "REP_TOO_BIG",
    10071: "OP_NOT_IN_SESSION",
    10074: "CLIENTID_BUSY",
    10087: "DELEG_REVOKED",
}

TYPES = {
    1: "file",
    2: "directory",
    3: "block",
    4: "character",
    5: "symlink",
    6: "socket",
    7: "fifo",
}

# Attribute number -> name and decoder, in the order in which servers send them.
ATTRIBUTES: dict[int, tuple[str, Callable[[Unpacker], object]]] = {
    1: ("type", lambda data: TYPES.get(data.u32(), "other")),
    3: ("change", Unpacker.u64),
    4: ("size", Unpacker.u64),
    8: ("fsid", lambda data: (data.u64(), data.u64())),
    19: ("handle", Unpacker.opaque),
    20: ("fileid", Unpacker.u64),
    33: ("mode", Unpacker.u32),
    35: ("links", Unpacker.u32),
    36: ("owner", Unpacker.text),
    37: ("group", Unpacker.text),
    42: ("space_available", Unpacker.u64),
    43: ("space_free", Unpacker.u64),
    44: ("space_total", Unpacker.u64),
    45: ("space_used", Unpacker.u64),
    55: ("mounted_on", Unpacker.u64),
}
MODE = 33


def numbers(names: tuple[str, ...]) -> list[int]:
    """Attribute numbers of these names."""
    known = {name: number for number, (name, _) in ATTRIBUTES.items()}
    return [known[name] for name in names]


def decode_attributes(data: Unpacker) -> dict[str, object]:
    """The attributes in an answer, by name."""
    present = data.bitmap()
    values = Unpacker(data.opaque())
    return {ATTRIBUTES[number][0]: ATTRIBUTES[number][1](values) for number in present}


def encode_mode(mode: int) -> bytes:
    """Attributes that hold a mode and nothing else."""
    return Packer().bitmap([MODE]).opaque(Packer().u32(mode).bytes()).bytes()
