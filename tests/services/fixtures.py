"""The servers as fixtures: `pytest_plugins = ["tests.services.fixtures"]` in tests/conftest.py.

Each xdist worker that asks has servers of its own, started at the first use.
"""

from collections.abc import Iterator

import pytest

from tests.services.keystone import Keystone
from tests.services.postgres import Postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server


@pytest.fixture(scope="session")
def keystone() -> Iterator[Keystone]:
    with Keystone() as server:
        yield server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests with a Keystone stay together on one worker, because starting one takes seconds."""
    for item in items:
        if "keystone" in getattr(item, "fixturenames", ()) and not item.get_closest_marker(
            "xdist_group"
        ):
            item.add_marker(pytest.mark.xdist_group("keystone"))
