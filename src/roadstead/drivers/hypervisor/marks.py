"""The sign by which devices and daemons of ours are found again.

A device bears its attachment's id in its alias, which libvirt and QEMU keep. libvirt puts the alias
into the name of a unix socket, of which the kernel takes 107 characters: the id is spelled in 26
instead of 36.
"""

import base64
import binascii
import uuid

_PREFIX = "ua-rs-"  # libvirt keeps only aliases that begin with ua-


def alias_of(attachment_id: str) -> str:
    """The alias of an attachment's device."""
    packed = base64.b32encode(uuid.UUID(attachment_id).bytes)
    return _PREFIX + packed.decode().rstrip("=").lower()


def attachment_of(alias: str | None) -> str | None:
    """The attachment id in a device's alias; None when it is not ours."""
    if alias is None or not alias.startswith(_PREFIX):
        return None
    text = alias.removeprefix(_PREFIX).upper()
    try:
        found = str(uuid.UUID(bytes=base64.b32decode(text + "=" * (-len(text) % 8))))
    except (binascii.Error, ValueError):
        return None
    return found if alias_of(found) == alias else None
