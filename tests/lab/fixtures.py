"""Fixtures of the lab, for every test package (a plugin: see tests/conftest.py)."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from tests.lab.build import Image, build
from tests.lab.guest import Guest
from tests.lab.segment import Nic, Segment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class SegmentFactory(Protocol):
    """Makes segments that live as long as the test module."""

    def __call__(self, *, service_netns: bool = True, mtu: int = 1500) -> Segment: ...


class GuestFactory(Protocol):
    """Boots guests that live as long as the test module; arguments as for Guest."""

    def __call__(self, nics: Sequence[Nic] = (), **options: Any) -> Guest: ...


@pytest.fixture(scope="session")
def lab_image() -> Image:
    """The guests' kernel and initramfs, built if this machine has none yet."""
    return build()


@pytest.fixture(scope="module")
def segment_factory() -> Iterator[SegmentFactory]:
    with contextlib.ExitStack() as stack:

        def make(*, service_netns: bool = True, mtu: int = 1500) -> Segment:
            return stack.enter_context(Segment(service_netns=service_netns, mtu=mtu))

        yield make


# After the segments, so that guests end before the network under them does.
@pytest.fixture(scope="module")
def guest_factory(lab_image: Image, segment_factory: SegmentFactory) -> Iterator[GuestFactory]:
    with contextlib.ExitStack() as stack:

        def make(nics: Sequence[Nic] = (), **options: Any) -> Guest:
            return stack.enter_context(Guest(lab_image, nics, **options))

        yield make
