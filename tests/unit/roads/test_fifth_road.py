"""A road that nobody here knows of: one class, named by an entry point of somebody's package."""

import msgspec
import pytest

from roadstead.agent.backends import make_backends
from roadstead.config.load import load
from roadstead.model.errors import ConfigError, NotFound
from roadstead.model.shares import ShareInstance
from roadstead.model.world import ExportRef, Place
from roadstead.roads import registry
from roadstead.service import access, shares
from roadstead.service.access import NewRule
from roadstead.service.roads import explain_share
from roadstead.store import pools
from tests.factories import HOST, make_caller, make_share, make_world

POOL = f"{HOST}@vault#memory"
TEXT = """
[backends.vault]
pool = "memory"
export = "memory"
roads = ["mirror"]
addresses = ["192.0.2.1"]
"""


class Mirror:
    """Shares are served from a namespace of their own, at the backend's addresses and one more."""

    name = "mirror"
    isolation = "glass"
    serves = True
    servers = None

    def __init__(self):
        self.opened: list[str] = []

    @classmethod
    def check(cls, config):
        for name, section in config.backends.items():
            if cls.name in section.roads and "198.51.100.1" in section.addresses:
                raise ConfigError(f"backends.{name}.addresses: the mirror has that one")

    @classmethod
    def make(cls, section, networked):
        return cls()

    def places(self, own, servers):
        return {"": self._place(own)}

    def open(self, export, own, instance: ShareInstance, ledger):
        self.opened.append(instance.id)
        return self._place(own)

    def close(self, export, instance: ShareInstance, ledger):
        self.opened.remove(instance.id)

    def capabilities(self, network, limits):
        return {"reflects": True}

    def _place(self, own: Place) -> Place:
        there = (*own.addresses, "198.51.100.1")
        return msgspec.structs.replace(own, id="mirror", netns="mirror", addresses=there)


@pytest.fixture(autouse=True)
def installed(tmp_path, monkeypatch):
    """As pip leaves it of somebody's package."""
    about = tmp_path / "site" / "mirror-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: mirror\nVersion: 1\n")
    (about / "entry_points.txt").write_text(f"[roadstead.roads]\nmirror = {__name__}:Mirror\n")
    monkeypatch.syspath_prepend(about.parent)


def configured(tmp_path, text=TEXT):
    file = tmp_path / "roadstead.toml"
    file.write_text(f'host = "{HOST}"\n{text}')
    config = load(file, {}, state=tmp_path)
    registry.check(config)
    return config


@pytest.fixture
def world(tmp_path, database_url):
    made = make_world(database_url, backends=[*make_backends(configured(tmp_path)).values()])
    yield made
    made.close()


def exported(world, place):
    return {m.id: m.facts["clients"] for m in world.export.inventory(Place(id=place))}


def test_a_share_lives_on_it(world):
    caller = make_caller()
    share = make_share(world, caller)
    assert share.status == "available"
    locations = shares.export_locations(world.service, caller, share.id)
    hosts = {location.path.partition(":")[0] for location in locations}
    assert hosts == {"192.0.2.1", "198.51.100.1"}
    assert type(world.backend.road).__name__ == "Mirror"
    assert world.backend.road.opened == [share.instance_id]

    new = NewRule(access_type="ip", access_to="10.0.0.1", access_level="ro")
    access.allow(world.service, caller, share.id, new)
    assert exported(world, "mirror") == {share.instance_id: {"10.0.0.1/32": "ro"}}
    assert exported(world, "host-vault") == {}

    shares.delete(world.service, caller, share.id)
    assert exported(world, "mirror") == {}
    assert world.backend.road.opened == []
    with pytest.raises(NotFound):
        shares.get(world.service, caller, share.id)


def test_the_sweep_mends_it_where_it_is(world):
    caller = make_caller()
    share = make_share(world, caller)
    assert world.sweep.run() == 0
    (mark,) = world.export.inventory(Place(id="mirror"))
    world.export.ensure_export_absent(
        ExportRef(instance_id=mark.id, export_id=mark.facts["export_id"], place=Place(id="mirror"))
    )
    assert world.sweep.run() == 1
    assert set(exported(world, "mirror")) == {share.instance_id}


def test_it_is_reported_and_explained(world):
    caller = make_caller()
    share = make_share(world, caller)
    with world.db.read() as tx:
        told = pools.capabilities(tx, POOL)
    assert told is not None
    wanted = {
        "roads": ["mirror"],
        "isolation": "glass",
        "driver_handles_share_servers": False,
        "reflects": True,
    }
    assert {key: told[key] for key in wanted} == wanted
    _, found, _ = explain_share(world.service, caller, share.id, "10.0.0.1")
    assert (found.road, found.isolation) == ("mirror", "glass")
    assert "isolation=glass" in next(hop.what for hop in found.hops if hop.name == "network")


def test_it_has_a_say_in_the_configuration(tmp_path):
    with pytest.raises(ConfigError, match=r"backends\.vault\.addresses: the mirror has that one"):
        configured(tmp_path, TEXT.replace("192.0.2.1", "198.51.100.1"))


def test_one_that_is_not_installed_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"vault\.roads: no road 'lens'; known: .*direct"):
        configured(tmp_path, TEXT.replace('"mirror"', '"lens"'))


def test_a_compute_host_is_no_road_that_serves(tmp_path):
    text = TEXT.replace('"mirror"', '"hypervisor", "mirror"')
    (backend,) = make_backends(configured(tmp_path, text)).values()
    assert (backend.road.name, backend.roads) == ("mirror", ("hypervisor", "mirror"))
    text = TEXT.replace('"mirror"', '"hypervisor"')
    (backend,) = make_backends(configured(tmp_path, text)).values()
    assert (backend.road.name, backend.roads) == ("direct", ("hypervisor",))


def test_share_servers_go_with_no_other_road(tmp_path):
    with pytest.raises(ConfigError, match=r"backends\.vault\.roads: road network goes with no"):
        configured(tmp_path, TEXT.replace('"mirror"', '"network", "mirror"'))


@pytest.fixture
def rubble(installed, tmp_path):
    """Another stranger's road, whose module cannot be imported."""
    about = tmp_path / "site" / "rubble-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: rubble\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[roadstead.roads]\nrubble = no_such_module:Road\n")


@pytest.mark.usefixtures("rubble")
def test_one_that_cannot_be_loaded_stops_only_who_names_it(tmp_path):
    assert configured(tmp_path).backends.keys() == {"vault"}
    with pytest.raises(ConfigError, match="road 'rubble' of no_such_module:Road cannot be loaded"):
        configured(tmp_path, TEXT.replace('"mirror"', '"rubble"'))
    assert registry.serving_name(["hypervisor", "rubble"]) == "rubble"
