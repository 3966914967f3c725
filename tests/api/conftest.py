"""Live servers for real clients. Tests that share one stay on one worker."""

from collections.abc import Generator

import pytest

from tests.api.cli import OpenStackClient
from tests.api.cloud import ADMIN, MEMBER, READER, Cloud, User
from tests.live.service import Roadstead

# The SDK warns of its own future in nearly every call.
_WARNINGS = ("RemovedInSDK50Warning", "RemovedInSDK60Warning")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever needs the shared server runs on the same worker."""
    for item in items:
        if "tests/api/" not in item.path.as_posix():
            continue
        if "cloud" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("api"))
        for name in _WARNINGS:
            item.add_marker(pytest.mark.filterwarnings(f"ignore::openstack.warnings.{name}"))


@pytest.fixture(scope="session")
def openstack_client() -> Generator[OpenStackClient]:
    with OpenStackClient() as client:
        yield client


@pytest.fixture(scope="session")
def cloud(openstack_client: OpenStackClient) -> Generator[Cloud]:
    """http_basic, drivers in memory, two zones: what most tests need."""
    settings = {
        "backends": {
            "local": {"addresses": ["192.0.2.1", "2001:db8::1"]},
            "second": {
                "pool": "memory",
                "export": "memory",
                "availability_zone": "east",
                "addresses": ["192.0.2.2"],
            },
        },
        "networks": {"tenants": {"type": "vxlan", "ids": "1000-9999", "mtu": 1450}},
    }
    with Roadstead(pool="memory", export="memory", settings=settings) as server:
        yield Cloud(server, openstack_client)


@pytest.fixture
def member(cloud: Cloud) -> User:
    """Somebody with a project of their own, new in each test."""
    return cloud.user(MEMBER)


@pytest.fixture
def reader(cloud: Cloud, member: User) -> User:
    """May only look, in the member's project."""
    return cloud.user(READER, member.project)


@pytest.fixture
def stranger(cloud: Cloud) -> User:
    """A member of another project."""
    return cloud.user(MEMBER)


@pytest.fixture
def admin(cloud: Cloud) -> User:
    """May do everything everywhere."""
    return cloud.user(ADMIN)
