"""Worlds in memory that tests of several rooms use; a module that needs another has its own."""

import pytest

from tests.unit.ops.compute_world import make_compute_world
from tests.unit.ops.network_world import make_network_world


@pytest.fixture
def nw(database_url):
    """With share servers."""
    made = make_network_world(database_url)
    yield made
    made.world.close()


@pytest.fixture
def cw(database_url):
    """With a compute host."""
    made = make_compute_world(database_url)
    yield made
    made.world.close()
