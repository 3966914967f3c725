"""Every name on disk or on the wire derives from an id here, so that a crash never leaves a
name that cannot be traced back to its row."""

import hashlib
import re
import uuid

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def new_id() -> str:
    """A fresh UUID v4 string."""
    return str(uuid.uuid4())


def is_uuid(text: object) -> bool:
    """True for the canonical lower-case spelling only."""
    return isinstance(text, str) and _UUID.fullmatch(text) is not None


def request_id() -> str:
    """`req-<uuid>`, as OpenStack services write it."""
    return f"req-{uuid.uuid4()}"


def pool_name(host: str, backend: str, pool: str) -> str:
    """`host@backend#pool`, the spelling of Manila's `host` attribute."""
    return f"{host}@{backend}#{pool}"


def split_pool_name(name: str) -> tuple[str, str, str]:
    """(host, backend, pool) of `host@backend#pool`; ValueError when a part is missing."""
    service, hash_, pool = name.partition("#")
    host, at, backend = service.partition("@")
    if not (hash_ and at and host and backend and pool):
        raise ValueError(f"not of the form host@backend#pool: {name!r}")
    return host, backend, pool


def image_name(instance_id: str) -> str:
    """File name of a share instance's filesystem image."""
    return f"share-{instance_id}"


def snapshot_image_name(snapshot_id: str) -> str:
    """File name of a snapshot's image."""
    return f"snap-{snapshot_id}"


def pseudo_path(instance_id: str) -> str:
    """The path an NFS client mounts; bears the mark by which the export is found again."""
    return f"/share-{instance_id}"


def instance_of_pseudo_path(path: str) -> str | None:
    """The share instance id in an export's pseudo path; None when it is not ours."""
    prefix, _, rest = path.partition("/share-")
    return rest if prefix == "" and is_uuid(rest) else None


def bus_prefix(place_id: str) -> str:
    """Ganesha's D-Bus name prefix for a place: letters first, no dashes (it rejects others)."""
    return "rs_" + re.sub(r"[^A-Za-z0-9]", "_", place_id)


def interface_name(kind: str, resource_id: str) -> str:
    """A network interface name of at most 15 characters, the same for the same resource."""
    digest = hashlib.blake2s(resource_id.encode(), digest_size=5).hexdigest()
    return f"rs{kind[:3]}{digest}"


def standby_place(server_id: str) -> str:
    """The place, on another host, of the gateway that stands by for this share server's."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"standby/{server_id}"))


def place_netns(place_id: str) -> str:
    """Name, below /run/netns, of a share server's network namespace."""
    return f"roadstead-{place_id}"


def place_of_netns(name: str) -> str | None:
    """The share server whose namespace has this name; None when it is not ours."""
    prefix, _, rest = name.partition("roadstead-")
    return rest if prefix == "" and rest else None
