"""Secrets as the database holds them: sealed with keys that are not in the database (X-7).

The key file has one key per line. The first one seals; all of them open, so that a new key can be
put in front while old seals still stand.
"""

import base64
import os
from pathlib import Path
from typing import TYPE_CHECKING

from roadstead.model.errors import ConfigError
from roadstead.process.files import write_durably

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet


class SecretBox:
    """Seals and opens texts. Keys are read when they are first needed, and again when the file
    has changed."""

    def __init__(self, key_file: Path) -> None:
        self._file = key_file
        self._stamp: tuple[int, int] | None = None
        self._keys: MultiFernet | None = None

    def seal(self, text: str) -> str:
        """What may be stored. ConfigError without a key."""
        return self._open_keys().encrypt(text.encode()).decode()

    def unseal(self, sealed: str) -> str:
        """The text again. ConfigError when no key of ours has sealed it."""
        from cryptography.fernet import InvalidToken

        try:
            return self._open_keys().decrypt(sealed.encode()).decode()
        except InvalidToken:
            # Without its cause: not even the sealed text belongs into a log.
            raise ConfigError(f"no key in {self._file} opens a secret of the database") from None

    def reseal(self, sealed: str) -> str:
        """The same text, sealed with the first key. ConfigError as in `unseal`."""
        return self.seal(self.unseal(sealed))

    def _open_keys(self) -> "MultiFernet":
        # cryptography takes memory and time to load; most processes never need it.
        from cryptography.fernet import Fernet, MultiFernet

        try:
            found = os.stat(self._file)
            stamp = (found.st_mtime_ns, found.st_ino)
            if self._keys is None or stamp != self._stamp:
                lines = self._file.read_text().split()
                self._keys, self._stamp = MultiFernet([Fernet(line) for line in lines]), stamp
        except (OSError, ValueError):
            # ValueError would show a part of the file.
            raise ConfigError(f"the keys in {self._file} cannot be read") from None
        return self._keys


def ensure_key_file(path: Path, *, gid: int = -1) -> None:
    """The file is there, for its owner and the group to read; a present one is left as it is."""
    if not path.exists():
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        _write_keys(path, [_new_key()], gid=gid)


def add_key(path: Path) -> None:
    """A new key is the first one; the old ones still open what they sealed."""
    found = path.stat()
    _write_keys(path, [_new_key(), *path.read_text().split()], gid=found.st_gid)


def forget_old_keys(path: Path, *, keep: int = 1) -> None:
    """Only the first keys are left. To be called when nothing is sealed with another."""
    found = path.stat()
    _write_keys(path, path.read_text().split()[:keep], gid=found.st_gid)


def _new_key() -> str:
    # What Fernet.generate_key does, without loading the library.
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


def _write_keys(path: Path, keys: list[str], *, gid: int) -> None:
    write_durably(path, "".join(f"{key}\n" for key in keys), mode=0o640, gid=gid)
