"""Where shares lie in the directory that a filer gives us, as this host or the filer calls it."""

import ipaddress
import posixpath
import re

from roadstead.drivers.base.filer import FilerExport
from roadstead.model.admission import LEVELS, plain_address
from roadstead.model.errors import BadRequest, DriverError
from roadstead.model.ids import is_uuid

ROOT = "roadstead"
SHARES = f"{ROOT}/shares"
# Nothing that a configuration file or a shell could take for more than a path.
_PATH = re.compile(r"/[^\"'\\]*")
_HIGHEST_EXPORT_ID = 65535  # 16 bits in the file handles of most servers


def share_path(tree: str, instance_id: str) -> str:
    """The share's root directory. BadRequest for what is no id: it could lead anywhere."""
    if not is_uuid(instance_id):
        raise BadRequest(f"not a resource id: {instance_id!r}")
    return posixpath.join(tree, SHARES, instance_id)


def instance_of(path: str) -> str | None:
    """The share instance whose root directory bears this name; None when it is not ours."""
    above, _, name = path.rpartition("/")
    return name if is_uuid(name) and f"/{above}".endswith(f"/{SHARES}") else None


def check(spec: FilerExport) -> None:
    """DriverError when no filer could be told of this: names, levels or addresses that are none."""
    if not is_uuid(spec.instance_id) or not 0 < spec.export_id <= _HIGHEST_EXPORT_ID:
        raise DriverError(f"no export can be {spec.export_id} of {spec.instance_id!r}")
    for text in (spec.path, spec.name):
        if not _PATH.fullmatch(text) or posixpath.normpath(text) != text or not text.isprintable():
            raise DriverError(f"not a path of a filer: {text!r}")
    for address, level in spec.clients.items():
        if level not in LEVELS or not _is_plain(address):
            raise DriverError(f"no client of a filer: {address!r} at level {level!r}")


def _is_plain(address: str) -> bool:
    try:
        return str(ipaddress.ip_address(address)) == plain_address(address) == address and (
            "%" not in address
        )
    except ValueError:
        return False
