"""Who may use a private share type."""

from collections.abc import Iterable
from typing import Any


def many(type_id: str, projects: Iterable[str]) -> dict[str, Any]:
    return {
        "share_type_access": [
            {"share_type_id": type_id, "project_id": project} for project in projects
        ]
    }
