"""The application over a database of its own, memory drivers and the inline engine."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from roadstead.api.app import make_app
from roadstead.store.migrate import upgrade
from tests.factories import World, make_world
from tests.unit.api.client import FOREIGN, OWNER, Client, HeaderAuth
from tests.unit.api.networking import POOLS


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("api") / "empty.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def world(tmp_path: Path, empty_database: Path) -> Iterator[World]:
    shutil.copy(empty_database, tmp_path / "db")
    world = make_world(f"sqlite:///{tmp_path}/db", networks=POOLS)
    yield world
    world.close()


@pytest.fixture
def app(world: World) -> Any:
    return make_app(world.service, auth=HeaderAuth())


@pytest.fixture
def member(app: Any) -> Client:
    return Client(app, OWNER, "member,reader")


@pytest.fixture
def reader(app: Any) -> Client:
    return Client(app, OWNER, "reader")


@pytest.fixture
def admin(app: Any) -> Client:
    """An administrator of another project."""
    return Client(app, "cccccccc33333333cccccccc33333333", "admin")


@pytest.fixture
def owner_admin(app: Any) -> Client:
    return Client(app, OWNER, "admin,member,reader")


@pytest.fixture
def foreigner(app: Any) -> Client:
    return Client(app, FOREIGN, "member,reader")
