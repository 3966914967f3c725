"""One database is enough here: the commands know HTTP only."""

from collections.abc import Generator

import pytest

from tests.factories import World, make_caller, make_share, make_world
from tests.unit.cli.serving import Run, commands


@pytest.fixture
def world(tmp_path) -> Generator[World]:
    made = make_world(f"sqlite:///{tmp_path}/db")
    yield made
    made.close()


@pytest.fixture
def run(world: World) -> Generator[Run]:
    with commands(world.service) as typed:
        yield typed


@pytest.fixture
def photos(world: World):
    """A share of that name, available."""
    return make_share(world, make_caller(), name="photos")
