"""What somebody changes by hand at a gateway or on its filer is put right by the sweep and told;
what is the administrator's own is never touched."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from roadstead.drivers.base.filer import FilerExport
from roadstead.drivers.filer.ganesha.driver import GaneshaFiler
from roadstead.drivers.filer.paths import share_path
from roadstead.model.ids import new_id, pseudo_path
from tests.lab import nfs4
from tests.lab.links import address_texts, links
from tests.lab.netns import in_thread, ip
from tests.roads.gateway import GatewayRoad
from tests.roads.gateway_census import GatewayCensus
from tests.roads.network import CLIENT, address_of, level
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.lab.hosts import Client
    from tests.roads.direct import Shared
    from tests.roads.network import Tenant

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.xdist_group("gw-drift")]
ROAD = GatewayRoad

STRANGER, OWN = "10.0.0.60", "172.30.0.9"
TABLE = "roadstead_gateway"


class Site:
    """A tenant with a share behind its gateway, and how to break it."""

    def __init__(self, road: GatewayRoad, tenant: Tenant) -> None:
        self.road, self.tenant = road, tenant
        self.share: Shared = self.tenant.share(CLIENT)
        self.address = address_of(self.tenant.api, self.share)
        self.server = road.server(self.tenant)["id"]
        self.netns = road.netns(self.tenant)

    def rw(self) -> str:
        """The set of the share's clients."""
        (number,) = (
            f.stem for f in (self.road.service.state / "exports/local" / self.server).glob("*.json")
        )
        return f"rw4_{number}"

    def device(self) -> str:
        """The interface with the share's address."""
        wanted = f"{self.address}/24"
        names = [link["ifname"] for link in links(self.netns)]
        (found,) = (name for name in names if wanted in address_texts(self.netns, name))
        return found

    def told(self, since: int) -> set[str]:
        """What sweeps found of share and gateway after that many other things."""
        entries = self.road.drift()
        mine = [e for e in entries if e["resource_id"] in (self.share.instance, self.server)]
        return {f"{e['kind']} {e['resource_type']}" for e in mine[: len(mine) - since]}

    def known(self) -> int:
        """How much was told so far."""
        entries = self.road.drift()
        return len([e for e in entries if e["resource_id"] in (self.share.instance, self.server)])


def swept(road: GatewayRoad) -> None:
    """A whole sweep has begun and ended: what the next one finds is no rule on its way."""
    api, host = road.admin, "node1@local"
    api.post("/services/ensure-shares", {"ensure_shares": {"host": host}})

    def ended() -> bool:
        found = api.get("/services", host=host)["services"]
        return not any(service["ensuring"] for service in found)

    until(ended, "the sweep has ended")


@pytest.fixture(scope="module")
def site(road: GatewayRoad, tenant: Tenant) -> Site:
    return Site(road, tenant)


@pytest.fixture(scope="module", autouse=True)
def own(road: GatewayRoad, site: Site) -> Iterator[None]:
    """The administrator's exports, one of them of a share's directory, outlive everything."""
    filer = road.filer
    filer.export(50, "/projects", OWN)
    filer.export(51, "/backup", OWN, path=f"{filer.tree}/roadstead/shares/{site.share.instance}")
    yield
    assert {"/admin", "/projects", "/backup"} <= set(filer.exports().values())
    assert filer.clients()["/projects"] == filer.clients()["/backup"] == {OWN: "rw"}


def _no_table(site: Site) -> None:
    site.road.nft(site.tenant, "delete", "table", "inet", TABLE)


def _no_counters(site: Site) -> None:
    site.road.nft(site.tenant, "delete", "table", "inet", "roadstead_state")


def _flushed(site: Site) -> None:
    site.road.nft(site.tenant, "flush", "set", "inet", TABLE, site.rw())


def _let_in(site: Site) -> None:
    site.road.nft(site.tenant, "add", "element", "inet", TABLE, site.rw(), f"{{ {STRANGER} }}")


def _wide_open(site: Site) -> None:
    site.road.nft(site.tenant, "insert", "rule", "inet", TABLE, "forward", "accept")


def _no_forwarding(site: Site) -> None:
    argv = ["sysctl", "-qw", "net.ipv4.ip_forward=0"]
    in_thread(site.netns, lambda: subprocess.run(argv, check=True))


def _no_address(site: Site) -> None:
    ip("address", "del", f"{site.address}/24", "dev", site.device(), netns=site.netns)


def _one_more_address(site: Site) -> None:
    ip("address", "add", "10.0.0.99/24", "dev", site.device(), netns=site.netns)


def _no_flow_file(site: Site) -> None:
    directory = site.road.service.state / "exports/local" / site.server
    for file in directory.glob("*.json"):
        file.unlink()


def _unexported(site: Site) -> None:
    site.road.filer.unexport(site.share.pseudo)


def _readmitted(site: Site) -> None:
    (source,) = site.road.at_filer(site.share) or {}
    site.road.filer.readmit(site.share.pseudo, source, "172.30.0.99")


def _nobody_at_filer(site: Site) -> None:
    site.road.filer.readmit(site.share.pseudo)


def _no_filer_file(site: Site) -> None:
    (site.road.filer.rules / "roadstead.conf").unlink()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_no_table, "differs access"),
        (_no_counters, "missing export"),
        (_flushed, "differs access"),
        (_let_in, "differs access"),
        (_wide_open, "missing export"),
        (_no_forwarding, "missing export"),
        (_no_address, "differs share_server"),
        (_one_more_address, "differs share_server"),
        (_no_flow_file, "missing export"),
        (_unexported, "missing export"),
        (_readmitted, "missing export"),
        (_nobody_at_filer, "missing export"),
        (_no_filer_file, "missing export"),
    ],
)
def test_a_change_by_hand_is_put_right_and_told(
    site: Site, client: Client, census: GatewayCensus, change: Callable[[Site], None], told: str
) -> None:
    """G-I5: the gateway and the filer are as the database says, and administrators hear of it."""
    swept(site.road)
    before = site.known()
    # What breaks between a sweep's look at the gateway and its mending is mended untold.
    for _ in range(3):
        change(site)
        swept(site.road)
        if told in site.told(before):
            break
    assert told in site.told(before)
    census.wait_agreed()
    assert level(client, site.address, site.share) == "rw"
    with (
        site.road.client(site.tenant, STRANGER) as stranger,
        pytest.raises(ConnectionRefusedError),
    ):
        level(stranger, site.address, site.share)
    stored = (site.road.filer.rules / "roadstead.conf").read_text()
    assert f'Pseudo = "{site.share.pseudo}"' in stored


@pytest.mark.isolation
def test_a_stranger_whom_somebody_let_in_is_cut_off(site: Site) -> None:
    """G-I1: who got in meanwhile does not stay."""
    with site.road.client(site.tenant, STRANGER) as stranger:
        session = _got_in(site, stranger)
        until(lambda: not _answers(session, site.share), "its session is cut")
        with pytest.raises(ConnectionRefusedError):
            level(stranger, site.address, site.share)


def _answers(session: nfs4.Client, share: Shared) -> bool:
    try:
        session.lookup(share.pseudo)
    except (OSError, EOFError):
        return False
    return True


def _got_in(site: Site, stranger: Client) -> nfs4.Client:
    """A session, had between two sweeps."""
    sessions: list[nfs4.Client] = []

    def once() -> bool:
        _let_in(site)
        try:
            sessions.append(nfs4.Client(site.address, netns=stranger.netns).__enter__())
        except OSError:
            return False
        return True

    until(once, "the stranger got in")
    return sessions[0]


def test_nothing_is_told_of_what_nobody_touched(road: GatewayRoad, census: GatewayCensus) -> None:
    """Rules come and go, sessions live on: no sweep takes that for drift."""
    tenant = road.tenant("quiet")
    share = tenant.share(CLIENT)
    with road.client(tenant, CLIENT) as client:
        server = address_of(tenant.api, share)
        with nfs4.Client(server, netns=client.netns) as session:
            for number in range(20):
                rule = tenant.api.allow(
                    share.id, f"10.0.0.{100 + number}", ("ro", "rw")[number % 2]
                )
                session.lookup(share.pseudo)
                tenant.api.deny(share.id, rule["id"])
            session.lookup(share.pseudo)
    assert census.differences() == []
    ours = (share.instance, road.server(tenant)["id"])
    assert [d for d in road.drift() if d["resource_id"] in ours] == []


def test_an_export_that_no_database_knows_is_withdrawn(road: GatewayRoad, site: Site) -> None:
    """As after an older copy of the database: the address it admits may be another tenant's next;
    what lies in the directory stays."""
    instance_id, others = new_id(), road.filer.clients()
    path = Path(share_path(road.filer.path, instance_id))
    path.mkdir()
    control = GaneshaFiler(GaneshaFiler.Options(**road.filer.control_options))
    control.ensure_export(
        FilerExport(
            instance_id=instance_id,
            export_id=999,
            path=str(path),
            name=pseudo_path(instance_id),
            clients={"172.30.0.99": "rw"},
        )
    )
    until(lambda: pseudo_path(instance_id) not in road.filer.clients(), "it is withdrawn")
    assert road.filer.clients() == others
    assert path.is_dir()
    told = [e for e in road.drift() if e["resource_id"] == instance_id]
    assert {"leaked export", "foreign share"} >= {f"{e['kind']} {e['resource_type']}" for e in told}
    assert told
    path.rmdir()
