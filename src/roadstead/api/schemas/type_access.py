"""Access to private share types as clients send it."""

from typing import Any

from roadstead.api.schemas.values import string, wrapped


def project(body: dict[str, Any], action: str) -> str:
    """The project that an action names."""
    return string(wrapped(body, action).get("project"), "project", least=1, most=64)
