"""Fixtures for every test package."""

import uuid
from collections.abc import Generator

import pytest

from tests.factories import World, make_world

pytest_plugins = ["tests.lab.fixtures", "tests.services.fixtures"]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.pg)])
def database_url(request, tmp_path) -> Generator[str]:
    """An empty database of each kind we support."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/roadstead.sqlite"
        return
    postgres = request.getfixturevalue("postgres")
    name = f"t_{uuid.uuid4().hex}"
    yield postgres.create_database(name)
    postgres.drop_database(name)


@pytest.fixture
def world(database_url) -> Generator[World]:
    """A whole service with memory drivers and the inline engine."""
    made = make_world(database_url)
    yield made
    made.close()
