"""An agent that dies between two instructions, and the next one's first sweeps."""

import contextlib
from collections.abc import Iterator

import pytest

from roadstead.ops import fault
from tests.unit.ops.network_world import NetworkWorld

FORWARD = ("before", "effect", "journal")


class Killed(BaseException):
    """The process is gone."""


@contextlib.contextmanager
def killed(nw: NetworkWorld, monkeypatch: pytest.MonkeyPatch, *point: str) -> Iterator[None]:
    """What is done inside is killed at the point; then the next agent's sweeps resume it, and
    nothing is left that belongs to nobody."""

    def die(*here: str) -> None:
        if here == point:
            monkeypatch.setattr(fault, "point", lambda *_: None)
            raise Killed

    monkeypatch.setattr(fault, "point", die)
    with pytest.raises(Killed):
        yield
    nw.world.engine.pending.clear()
    nw.world.retries.clear()
    nw.runner = nw.renewed_runner()
    nw.look()
    nw.look()
    assert nw.unowned() == []
