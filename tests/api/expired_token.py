"""A token of the tests' Keystone that has expired, without waiting for it."""

import time
from pathlib import Path
from typing import Any

import msgspec
from cryptography.fernet import Fernet, MultiFernet


def expired(token: str, keys: Path) -> str:
    """The same token as it would be an hour after its end; `keys` is Keystone's key repository.

    A project-scoped Fernet token holds, in MessagePack: version, user, methods, project, the end
    in seconds since 1970, audit ids (keystone.token.token_formatters).
    """
    fernets = [Fernet(path.read_bytes()) for path in sorted(keys.iterdir(), reverse=True)]
    plain = MultiFernet(fernets).decrypt(token + "=" * (-len(token) % 4))
    payload: list[Any] = msgspec.msgpack.decode(plain)
    now = time.time()
    (end,) = [i for i, value in enumerate(payload) if isinstance(value, float) and value > now]
    payload[end] = now - 3600
    made = fernets[0].encrypt_at_time(msgspec.msgpack.encode(payload), int(now) - 7200)
    return made.decode().rstrip("=")
