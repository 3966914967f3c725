"""What no export server takes, whoever asks: names that lead elsewhere, exports that cannot be."""

import re

from roadstead.model import world as w
from roadstead.model.errors import DriverError, Unsupported
from roadstead.model.ids import is_uuid

HIGHEST_EXPORT_ID = 65535  # 16 bits in Ganesha's file handles
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def check_place(place: w.Place) -> None:
    """DriverError unless the place's names can be names of files."""
    for name in (place.id, place.netns):
        if name is not None and not _NAME.fullmatch(name):
            raise DriverError(f"not usable as a name: {name!r}")


def check_export(spec: w.ExportSpec, *, proto: str) -> None:
    """Unsupported: of another protocol. DriverError: the database has ids that cannot be."""
    if spec.proto.upper() != proto:
        raise Unsupported(f"protocol {spec.proto} is not served here, only {proto}")
    if not is_uuid(spec.instance_id) or not 0 < spec.export_id <= HIGHEST_EXPORT_ID:
        raise DriverError(f"no export can be {spec.export_id} of {spec.instance_id!r}")
