"""HTTP Basic over a users file: the standalone way.

One line per user, `name:bcrypt-hash:project_id:role,role`; empty lines and lines that begin with
`#` do not count. The file is read again when it changes.
"""

import base64
import binascii
import hashlib
import hmac
import os
import re
import secrets
import threading
from pathlib import Path

import bcrypt
import msgspec

from roadstead.api.auth import Environ, Identity, NoIdentity
from roadstead.model.errors import ConfigError

REALM = "roadstead"
_PROJECT = re.compile(r"[0-9a-f\-]{1,64}")
_NAME = re.compile(r"[^\s:]{1,64}")
_MOST_REMEMBERED = 10_000
# bcrypt reads no more of a password than this, and refuses a longer one.
_LONGEST_PASSWORD = 72


class User(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the file."""

    name: str
    password_hash: bytes
    project_id: str
    roles: tuple[str, ...]


def parse_users(text: str) -> dict[str, User]:
    """Users by name. ConfigError names the line that is wrong, never its contents."""
    users: dict[str, User] = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        parts = line.split(":")
        if len(parts) != 4:
            raise ConfigError(f"users file, line {number}: not name:hash:project:roles")
        name, hashed, project, roles = (p.strip() for p in parts)
        if not _NAME.fullmatch(name) or name in users:
            raise ConfigError(f"users file, line {number}: bad name, or a second user of that name")
        if not _PROJECT.fullmatch(project):
            raise ConfigError(f"users file, line {number}: a project id is hex digits and dashes")
        if not re.fullmatch(r"\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}", hashed):
            raise ConfigError(f"users file, line {number}: not a bcrypt hash")
        users[name] = User(
            name=name,
            password_hash=hashed.encode(),
            project_id=project,
            roles=tuple(r.strip() for r in roles.split(",") if r.strip()),
        )
    return users


class BasicAuth:
    """Identities from the users file. A password that was right once costs no bcrypt again until
    the file changes: what is kept is a keyed digest that only this process can compute."""

    def __init__(self, users_file: Path) -> None:
        """Raises ConfigError when the file is missing or wrong."""
        self._file = users_file
        self._key = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._stamp: tuple[int, int, int] = (0, 0, 0)
        self._users: dict[str, User] = {}
        self._right: set[bytes] = set()
        # An unknown name must take as long as a wrong password.
        self._decoy = bcrypt.hashpw(secrets.token_hex(16).encode(), bcrypt.gensalt(10))
        self._load(strict=True)

    def identify(self, environ: Environ, url_project: str | None) -> Identity:
        self._load(strict=False)
        credentials = _credentials(str(environ.get("HTTP_AUTHORIZATION", "")))
        if credentials is None:
            raise _refusal()
        user = self._users.get(credentials[0])
        if not self._verify(user, *credentials) or user is None:
            raise _refusal()
        return Identity(user_id=user.name, project_id=user.project_id, roles=user.roles)

    def _load(self, *, strict: bool) -> None:
        """The users are those of the file as it is now; a broken new file changes nothing, so
        that a half-written one locks nobody out."""
        try:
            now = os.stat(self._file)
            stamp = (now.st_mtime_ns, now.st_size, now.st_ino)
            if stamp == self._stamp:
                return
            users = parse_users(self._file.read_text())
        except (OSError, UnicodeDecodeError, ConfigError) as error:
            if strict:
                raise ConfigError(f"users file {self._file}: {error}") from error
            return
        with self._lock:
            self._users, self._stamp = users, stamp
            self._right = set()

    def _verify(self, user: User | None, name: str, password: bytes) -> bool:
        hashed = user.password_hash if user else self._decoy
        message = b"\0".join((name.encode(), hashed, password))
        digest = hmac.new(self._key, message, hashlib.sha256).digest()
        right = self._right
        if digest in right:
            return True
        if len(password) > _LONGEST_PASSWORD or not bcrypt.checkpw(password, hashed):
            return False
        if user is not None:
            with self._lock:
                if len(right) >= _MOST_REMEMBERED:
                    right.clear()
                right.add(digest)
        return True


def _credentials(header: str) -> tuple[str, bytes] | None:
    """(name, password) of an Authorization header; None when it is not a valid Basic one."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return (name.decode(), password) if colon and b"\0" not in password else None
    except (binascii.Error, ValueError):
        return None


def _refusal() -> NoIdentity:
    return NoIdentity(
        {"WWW-Authenticate": f'Basic realm="{REALM}", charset="UTF-8"'},
        body="Authentication required\n",
    )
