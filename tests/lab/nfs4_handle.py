"""Ganesha's file handles on a local filesystem, taken apart and put together otherwise.

forged = Handle.parse(client.lookup("/mine/file")).forge(export_id=8, inode=5)
client.read(forged, 0, 100)
"""

import dataclasses
import struct
from dataclasses import dataclass
from typing import Self

# The first byte of the handle of a local filesystem, its low bits: length of the fsid.
FSID_LENGTHS = {0: 0, 1: 8, 2: 8, 3: 16, 4: 8, 5: 8}
SHORT_TYPE = 0x40

# The kernel's own handle types: where in them inode and generation are.
LAYOUTS = {
    0x01: ("<I", 0, 4),  # inode and generation, 32 bits each: ext4, small XFS
    0x81: ("<Q", 0, 8),  # inode of 64 bits: XFS
    0x4D: ("<Q", 0, 16),  # btrfs: inode, subvolume, generation
}


@dataclass(frozen=True)
class Handle:
    """The parts of a handle that somebody might want to change."""

    head: bytes
    export_id: int
    fsid_type: int
    fsid: bytes
    kind: int
    fid: bytes

    @classmethod
    def parse(cls, handle: bytes) -> Self:
        """The parts of a handle; ValueError if it is none of a local filesystem."""
        head, (export_id, length) = handle[:2], struct.unpack(">HB", handle[2:5])
        rest = handle[5:]
        if len(rest) != length or not rest or not rest[0] & SHORT_TYPE:
            raise ValueError(f"not a handle of a local filesystem: {handle.hex()}")
        at = 1 + FSID_LENGTHS[rest[0] & 0x07]
        return cls(head, export_id, rest[0], rest[1:at], rest[at], rest[at + 1 :])

    def pack(self) -> bytes:
        """The handle as it goes over the wire."""
        rest = bytes([self.fsid_type]) + self.fsid + bytes([self.kind]) + self.fid
        return self.head + struct.pack(">HB", self.export_id, len(rest)) + rest

    @property
    def inode(self) -> int:
        """The number of the inode."""
        form, at, _ = self._layout()
        return struct.unpack_from(form, self.fid, at)[0]

    @property
    def generation(self) -> int:
        """Which of the files that had this inode one after the other."""
        return struct.unpack_from("<I", self.fid, self._layout()[2])[0]

    def forge(
        self,
        *,
        export_id: int | None = None,
        fsid: bytes | None = None,
        inode: int | None = None,
        generation: int | None = None,
    ) -> bytes:
        """The handle with these parts replaced."""
        fid = bytearray(self.fid)
        if inode is not None:
            form, at, _ = self._layout()
            struct.pack_into(form, fid, at, inode)
        if generation is not None:
            struct.pack_into("<I", fid, self._layout()[2], generation)
        return dataclasses.replace(
            self,
            export_id=self.export_id if export_id is None else export_id,
            fsid=self.fsid if fsid is None else fsid,
            fid=bytes(fid),
        ).pack()

    def _layout(self) -> tuple[str, int, int]:
        if self.kind not in LAYOUTS:
            raise ValueError(
                f"nobody told us where handles of type {self.kind:#x} have their inode"
            )
        return LAYOUTS[self.kind]
