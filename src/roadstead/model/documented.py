"""Fields with a sentence each: what tables of keys and of options are printed from."""

from typing import Any, get_args

import msgspec


def doc(text: str, **limits: Any) -> msgspec.Meta:
    """For `Annotated[type, doc("…")]`; limits as in msgspec.Meta (ge, le, …)."""
    return msgspec.Meta(description=text, **limits)


def doc_of(hint: Any) -> str:
    """The sentence of an annotation; "" when it has none."""
    for extra in get_args(hint)[1:]:
        if isinstance(extra, msgspec.Meta):
            return extra.description or ""
    return ""
