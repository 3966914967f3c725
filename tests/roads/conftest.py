"""What the roads' tests share. `ROAD` of a test module makes the road that serves the whole module,
and a fixture below enters it; what another road's tests need is said there, too."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.roads.direct import CAROL, DAVE
from tests.roads.gateway_census import GatewayCensus
from tests.roads.network import CLIENT, Rented

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.build import Image
    from tests.lab.fixtures import GuestFactory, SegmentFactory
    from tests.lab.guest import Guest
    from tests.lab.hosts import Client
    from tests.lab.nfs_client import NfsClient
    from tests.lab.segment import ClientNs
    from tests.roads.direct import Direct, Shared
    from tests.roads.gateway import GatewayRoad
    from tests.roads.hypervisor import Hypervised
    from tests.roads.network import NetworkRoad, Tenant

# --- direct: one service, and guests on its segment ---------------------------------------------


@pytest.fixture(scope="module")
def direct(
    request: pytest.FixtureRequest, segment_factory: SegmentFactory, guest_factory: GuestFactory
) -> Iterator[Direct]:
    with request.module.ROAD(segment_factory, guest_factory) as made:
        yield made


@pytest.fixture(scope="module")
def alice(direct: Direct) -> Guest:
    return direct.guests[0]


@pytest.fixture(scope="module")
def bob(direct: Direct) -> Guest:
    return direct.guests[1]


@pytest.fixture(scope="module")
def carol(direct: Direct) -> ClientNs:
    return direct.segment.client_ns(CAROL)


@pytest.fixture(scope="module")
def dave(direct: Direct) -> ClientNs:
    return direct.segment.client_ns(DAVE)


# --- hypervisor: one service, which is a compute host, too --------------------------------------


@pytest.fixture(scope="module")
def hv(request: pytest.FixtureRequest, lab_image: Image) -> Iterator[Hypervised]:
    with request.module.ROAD(lab_image) as made:
        yield made


# --- network and gateway: one service with share servers, and tenants on two hosts --------------


@pytest.fixture(scope="module")
def road(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NetworkRoad]:
    with request.module.ROAD(tmp_path_factory.mktemp("road")) as made:
        yield made


@pytest.fixture(scope="module")
def tenant(road: NetworkRoad) -> Tenant:
    return road.tenant("alice")


@pytest.fixture(scope="module")
def client(road: NetworkRoad, tenant: Tenant) -> Iterator[Client]:
    with road.client(tenant, CLIENT) as made:
        yield made


@pytest.fixture(scope="module")
def census(road: GatewayRoad) -> GatewayCensus:
    return GatewayCensus(road)


@pytest.fixture(scope="module")
def empty(road: NetworkRoad, tenant: Tenant) -> set[str]:
    """All there is when the first share has gone again: of share servers, nothing."""
    tenant.api.delete_share(tenant.share(CLIENT).id)
    road.wait_unused()
    assert road.count().total() == 0
    return road.everything()


@pytest.fixture
def clean(road: NetworkRoad, tenant: Tenant, empty: set[str]) -> Iterator[None]:
    """Without shares nothing is left; a test that fails leaves the next one an empty host."""
    yield
    for share in tenant.api.get("/shares")["shares"]:
        tenant.api.wait_share(share["id"], ("available", "error"))
        tenant.api.delete_share(share["id"])
    road.wait_unused()
    assert road.everything() == empty


@pytest.fixture
def kept(tenant: Tenant) -> Shared:
    """A share for whose sake the share server stays."""
    return tenant.share(CLIENT)


@pytest.fixture(scope="module")
def two(road: NetworkRoad, guest_factory: GuestFactory) -> tuple[Rented, Rented]:
    """Two tenants with the same addresses, each with a share and a VM."""
    found = Rented(road, "alice"), Rented(road, "bob")
    with ThreadPoolExecutor() as pool:
        guests = pool.map(lambda one: guest_factory([one.nic], modules=["nfsv4"]), found)
        for one, guest in zip(found, guests, strict=True):
            one.guest = guest
            # A filer knows its clients by the names they give themselves.
            guest.sh(f"hostname vm-{one.name}")
    return found


@pytest.fixture
def mounted(two: tuple[Rented, Rented]) -> Iterator[tuple[NfsClient, NfsClient]]:
    clients = two[0].mount(), two[1].mount()
    yield clients
    for client in clients:
        client.umount()
