"""What the bodies are made of."""

from typing import Annotated, Any, Literal

import msgspec


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """An object that a client sends. What has a default may be missing; without a value (UNSET)
    nothing is changed then."""


def since(minor: int, text: str = "", **limits: Any) -> msgspec.Meta:
    """A key that counts from 2.`minor` on."""
    return said(text, **limits, extra_json_schema={"x-openstack": {"min-ver": f"2.{minor}"}})


def said(text: str, **limits: Any) -> msgspec.Meta:
    return msgspec.Meta(description=text or None, **limits)


Word = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
Text = Annotated[str, msgspec.Meta(max_length=255)]
Id = Annotated[str, msgspec.Meta(extra_json_schema={"format": "uuid"})]
Gib = Annotated[int, msgspec.Meta(ge=1, description="GiB")]
Reason = Annotated[str, msgspec.Meta(max_length=1023)]
Value = Annotated[str, msgspec.Meta(min_length=1, max_length=1023)]
Pairs = dict[Word, Value]
Level = Literal["rw", "ro"]


class Nothing(Body, frozen=True):
    """An action without arguments: null or an empty object."""


class Status(Body, frozen=True):
    status: Word


class NoTaskState(Body, frozen=True):
    """Nothing is ever migrated here."""

    task_state: None


class Metadata(Body, frozen=True):
    metadata: Pairs
