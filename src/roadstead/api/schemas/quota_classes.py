"""Quota classes as clients send them."""

from typing import Any

from roadstead.api.schemas.values import integer, string, wrapped
from roadstead.api.views.quotas import SINCE


def name(class_name: str) -> str:
    """A class's name."""
    return string(class_name, "the name of a quota class", least=1)


def new(body: dict[str, Any]) -> dict[str, int]:
    """The limits to set; what is no quota is left out."""
    fields = wrapped(body, "quota_class_set")
    return {k: integer(v, k, least=-1) for k, v in fields.items() if k in SINCE}
