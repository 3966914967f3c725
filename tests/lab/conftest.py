"""What the lab's own tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab.world import GUEST, World, make_world

if TYPE_CHECKING:
    from tests.lab.fixtures import GuestFactory, SegmentFactory
    from tests.lab.guest import Guest


@pytest.fixture(scope="module")
def world(segment_factory: SegmentFactory, tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(segment_factory(), tmp_path_factory.mktemp("ganesha"))


@pytest.fixture(scope="module")
def guest(world: World, guest_factory: GuestFactory) -> Guest:
    return guest_factory([world.segment.nic(GUEST)])
