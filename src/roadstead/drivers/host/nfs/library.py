"""libnfs, as far as a mount needs it: one connection to one export, by ctypes.

libnfs 4 cannot write by NFSv4, so the server must speak v3. Errors are OSErrors; libnfs says EFAULT
for whatever the server's answer did not explain, which becomes EIO.
"""

import ctypes
import errno
import os
import re
import stat
import threading
import time
from collections.abc import Iterator
from typing import Any

from roadstead.drivers.host.nfs import fuse_process

_Pointer, _U64, _Text = ctypes.c_void_p, ctypes.c_uint64, ctypes.c_char_p
# Device nodes have no business on a share; the mount is nodev besides.
_NODES = (stat.S_IFREG, stat.S_IFIFO, stat.S_IFSOCK)


class Stat(ctypes.Structure):
    """struct nfs_stat_64"""

    names = (
        "dev ino mode nlink uid gid rdev size blksize blocks atime mtime ctime atime_nsec "
        "mtime_nsec ctime_nsec used"
    ).split()
    _fields_ = [(name, _U64) for name in names]


class Capacity(ctypes.Structure):
    """struct statvfs of 64-bit Linux"""

    names = "bsize frsize blocks bfree bavail files ffree favail fsid flag namemax".split()
    _fields_ = [*[(name, _U64) for name in names], ("spare", ctypes.c_int * 6)]


class _Entry(ctypes.Structure):
    _fields_ = [("next", _Pointer), ("name", _Text), ("inode", _U64)]


class _Url(ctypes.Structure):
    _fields_ = [("server", _Text), ("path", _Text), ("file", _Text)]


class _Times(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_long * 4)]  # two struct timeval


_SIGNATURES: dict[str, list[Any]] = {
    "mount": [_Text, _Text],
    "lstat64": [_Text, ctypes.POINTER(Stat)],
    "statvfs": [_Text, ctypes.POINTER(Capacity)],
    "opendir": [_Text, ctypes.POINTER(_Pointer)],
    "open": [_Text, ctypes.c_int, ctypes.POINTER(_Pointer)],
    "open2": [_Text, ctypes.c_int, ctypes.c_int, ctypes.POINTER(_Pointer)],
    "close": [_Pointer],
    "pread": [_Pointer, _U64, _U64, ctypes.c_char_p],
    "pwrite": [_Pointer, _U64, _U64, ctypes.c_char_p],
    "fsync": [_Pointer],
    "mkdir2": [_Text, ctypes.c_int],
    "mknod": [_Text, ctypes.c_int, ctypes.c_int],
    "rmdir": [_Text],
    "unlink": [_Text],
    "rename": [_Text, _Text],
    "link": [_Text, _Text],
    "symlink": [_Text, _Text],
    "readlink": [_Text, ctypes.c_char_p, ctypes.c_int],
    "truncate": [_Text, _U64],
    "chmod": [_Text, ctypes.c_int],
    "lchown": [_Text, ctypes.c_int, ctypes.c_int],
    "lutimes": [_Text, ctypes.POINTER(_Times)],
}


def _library() -> Any:
    library = ctypes.CDLL(fuse_process.libnfs() or "libnfs.so.13")
    for name, arguments in _SIGNATURES.items():
        function = getattr(library, f"nfs_{name}")
        function.argtypes, function.restype = [_Pointer, *arguments], ctypes.c_int
    library.nfs_init_context.restype = _Pointer
    library.nfs_parse_url_dir.argtypes = [_Pointer, _Text]
    library.nfs_parse_url_dir.restype = ctypes.POINTER(_Url)
    library.nfs_get_error.argtypes, library.nfs_get_error.restype = [_Pointer], _Text
    library.nfs_readdir.argtypes = [_Pointer, _Pointer]
    library.nfs_readdir.restype = ctypes.POINTER(_Entry)
    library.nfs_closedir.argtypes = [_Pointer, _Pointer]
    return library


class Export:
    """One mounted export. Safe to use from several threads; one call at a time."""

    def __init__(self, url: str) -> None:
        """Mounted; OSError with libnfs's own words if not. `timeout` in the URL, milliseconds, is
        how long a call may go unanswered before this process ends, so that whoever waits gets an
        error; without it, for ever."""
        self._since: float | None = None  # when the call under way began
        self._library = _library()
        self._lock = threading.Lock()
        self._context = self._library.nfs_init_context()
        found = self._library.nfs_parse_url_dir(self._context, url.encode())
        if not found:
            raise OSError(errno.EINVAL, self._said())
        code = self._library.nfs_mount(self._context, found[0].server, found[0].path)
        if code:
            raise OSError(-code, self._said())
        # libnfs 4 knows a time limit and waits for ever all the same.
        if limit := re.search(r"[?&]timeout=([1-9][0-9]*)", url):
            patience = int(limit[1]) / 1000
            threading.Thread(target=self._watch, args=(patience,), daemon=True).start()

    def call(self, name: str, *arguments: Any) -> int:
        """The result of nfs_<name>. OSError when it is negative."""
        with self._lock:
            self._since = time.monotonic()
            result = int(getattr(self._library, f"nfs_{name}")(self._context, *arguments))
            self._since = None
        if result < 0:
            code = errno.EIO if -result == errno.EFAULT else -result
            raise OSError(code, os.strerror(code))
        return result

    def _watch(self, patience: float) -> None:
        while True:
            time.sleep(patience / 4)
            since = self._since
            if since is not None and time.monotonic() - since > patience:
                os._exit(1)

    def open(self, path: bytes, flags: int, mode: int | None = None) -> int:
        """A handle of the file, which is made if there is a mode."""
        handle = _Pointer()
        if mode is None:
            self.call("open", path, flags, ctypes.byref(handle))
        else:
            self.call("open2", path, flags | os.O_CREAT, mode, ctypes.byref(handle))
        return handle.value or 0

    def stat(self, path: bytes) -> Stat:
        """The file's attributes; a link's own."""
        found = Stat()
        self.call("lstat64", path, ctypes.byref(found))
        return found

    def capacity(self, path: bytes) -> Capacity:
        """The size of the filesystem and what is left of it."""
        found = Capacity()
        self.call("statvfs", path, ctypes.byref(found))
        return found

    def names(self, path: bytes) -> list[bytes]:
        """What the directory holds, without `.` and `..`."""
        handle = _Pointer()
        self.call("opendir", path, ctypes.byref(handle))
        with self._lock:
            try:
                return [name for name in self._entries(handle) if name not in (b".", b"..")]
            finally:
                self._library.nfs_closedir(self._context, handle)

    def read(self, handle: int, size: int, offset: int) -> bytes:
        """Up to `size` bytes."""
        buffer = ctypes.create_string_buffer(size)
        length = self.call("pread", handle, offset, size, buffer)
        return buffer.raw[:length]

    def make_node(self, path: bytes, mode: int) -> None:
        """A file, FIFO or socket; EPERM for a device."""
        if stat.S_IFMT(mode) not in _NODES:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))
        if stat.S_ISREG(mode):
            self.call("close", self.open(path, os.O_WRONLY | os.O_EXCL, stat.S_IMODE(mode)))
        else:
            self.call("mknod", path, mode, 0)

    def set_times(self, path: bytes, times: tuple[int, int]) -> None:
        """Access and modification time, in nanoseconds; kept to the microsecond."""
        parts = [part for each in times for part in (each // 10**9, each % 10**9 // 1000)]
        self.call("lutimes", path, ctypes.byref(_Times((ctypes.c_long * 4)(*parts))))

    def read_link(self, path: bytes) -> bytes:
        """Where the link leads."""
        buffer = ctypes.create_string_buffer(4096)
        self.call("readlink", path, buffer, len(buffer))
        return buffer.value

    def _entries(self, handle: Any) -> Iterator[bytes]:
        while entry := self._library.nfs_readdir(self._context, handle):
            yield entry[0].name

    def _said(self) -> str:
        return (self._library.nfs_get_error(self._context) or b"unknown").decode(errors="replace")
