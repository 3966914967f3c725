"""An NFS export mounted by FUSE, for a host whose kernel has no NFS client.

python -m roadstead.drivers.host.nfs.fuse URL SOURCE MOUNTPOINT rw|ro FD

URL is libnfs's, SOURCE what the mount table shows; `mounted` is written to the descriptor FD once
the filesystem answers. Runs until it is unmounted. Slower than the kernel's client by far (its
calls go one after the other), and open files do not outlive it.
"""

import contextlib
import errno
import os
import stat
import sys
import time
from typing import Any

import mfusepy  # pyright: ignore[reportMissingTypeStubs]

from roadstead.drivers.host.nfs.library import Export

_fuse: Any = mfusepy
_Operations: Any = _fuse.Operations
_WRITING = os.O_WRONLY | os.O_RDWR


class Filesystem(_Operations):
    """What FUSE asks, answered by the export."""

    use_ns = True

    def __init__(self, export: Export, ready: int) -> None:
        self._export = export
        self._ready = ready

    def init(self, path: str) -> None:
        """The kernel has taken the mount."""
        # Whoever asked for the mount may be dead; its successor finds the mount.
        with contextlib.suppress(BrokenPipeError):
            os.write(self._ready, b"mounted\n")
        os.close(self._ready)

    def getattr(self, path: str, fh: int | None = None) -> dict[str, int]:
        """Attributes, times in nanoseconds."""
        found = self._export.stat(_raw(path))
        plain = "mode ino nlink uid gid size blocks".split()
        answer: dict[str, int] = {f"st_{name}": getattr(found, name) for name in plain}
        for name in ("atime", "mtime", "ctime"):
            nanoseconds: int = getattr(found, f"{name}_nsec")
            answer[f"st_{name}"] = getattr(found, name) * 10**9 + nanoseconds
        return answer

    def statfs(self, path: str) -> dict[str, int]:
        """The size of the share and what is left of it."""
        found = self._export.capacity(_raw(path))
        names = "bsize frsize blocks bfree bavail files ffree favail namemax".split()
        return {f"f_{name}": getattr(found, name) for name in names}

    def readdir(self, path: str, fh: int) -> list[str]:
        """What the directory holds."""
        return [".", "..", *map(os.fsdecode, self._export.names(_raw(path)))]

    def open(self, path: str, flags: int) -> int:
        """A handle; the file is empty if that was asked: libfuse leaves it to us."""
        if flags & os.O_TRUNC:
            self.truncate(path, 0)
        return self._export.open(_raw(path), flags & _WRITING)

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        """A handle of the new file, which belongs to the caller."""
        handle = self._export.open(_raw(path), os.O_RDWR, mode & 0o7777)
        self._give(path)
        return handle

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        """Up to `size` bytes."""
        return self._export.read(fh, size, offset)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        """How many bytes the server has taken."""
        return self._export.call("pwrite", fh, offset, len(data), data)

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        """What was written is on the server's disk."""
        return self._export.call("fsync", fh)

    def release(self, path: str, fh: int) -> int:
        """The handle is closed."""
        return self._export.call("close", fh)

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        """The file has this size."""
        return self._export.call("truncate", _raw(path), length)

    def mkdir(self, path: str, mode: int) -> int:
        """The directory is there."""
        self._export.call("mkdir2", _raw(path), mode & 0o7777)
        return self._give(path)

    def mknod(self, path: str, mode: int, dev: int) -> int:
        """The file, FIFO or socket is there."""
        self._export.make_node(_raw(path), mode)
        return self._give(path)

    def rmdir(self, path: str) -> int:
        """The directory is gone."""
        return self._export.call("rmdir", _raw(path))

    def unlink(self, path: str) -> int:
        """The name is gone."""
        return self._export.call("unlink", _raw(path))

    def rename(self, old: str, new: str, flags: int = 0) -> int:
        """The file bears the new name."""
        if flags:  # RENAME_NOREPLACE and RENAME_EXCHANGE are not in NFSv3
            raise _fuse.FuseOSError(errno.EINVAL)
        return self._export.call("rename", _raw(old), _raw(new))

    def link(self, target: str, source: str) -> int:
        """`target` is another name of `source`."""
        return self._export.call("link", _raw(source), _raw(target))

    def symlink(self, target: str, source: str) -> int:
        """`target` leads to `source`."""
        self._export.call("symlink", _raw(source), _raw(target))
        return self._give(target)

    def readlink(self, path: str) -> str:
        """Where the link leads."""
        return os.fsdecode(self._export.read_link(_raw(path)))

    def chmod(self, path: str, mode: int) -> int:
        """The file has this mode."""
        return self._export.call("chmod", _raw(path), mode & 0o7777)

    def chown(self, path: str, uid: int, gid: int) -> int:
        """The file has these owners."""
        return self._export.call("lchown", _raw(path), uid, gid)

    def _give(self, path: str) -> int:
        """What root has just made belongs to the caller, as the kernel's client would have it."""
        uid, gid, _ = _fuse.fuse_get_context()
        if (uid, gid) != (0, 0):
            parent = self._export.stat(_raw(os.path.dirname(path)))
            group = parent.gid if parent.mode & stat.S_ISGID else gid
            self._export.call("lchown", _raw(path), uid, group)
        return 0

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> None:
        """The file has these times, or now."""
        now = time.time_ns()
        self._export.set_times(_raw(path), times or (now, now))


def _raw(path: str) -> bytes:
    return os.fsencode(path)


def main(argv: list[str]) -> None:
    """Serve until unmounted."""
    url, source, point, level, ready = argv
    try:
        export = Export(url)
    except OSError as error:
        raise SystemExit(error.strerror) from error
    _fuse.FUSE(
        Filesystem(export, int(ready)),
        point,
        foreground=True,
        nothreads=False,
        allow_other=True,
        default_permissions=True,
        nosuid=True,
        nodev=True,
        noexec=True,
        ro=level == "ro",
        fsname=source,
        subtype="nfs",
        # Other hosts write, too: nothing is remembered.
        entry_timeout=0,
        attr_timeout=0,
        negative_timeout=0,
        auto_cache=True,
    )


if __name__ == "__main__":
    main(sys.argv[1:])
