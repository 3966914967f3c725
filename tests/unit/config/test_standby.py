"""What a host that stands by for gateways, and one whose gateways have a standby, must say."""

from typing import Any

import pytest

from roadstead.agent.backends import make_backends
from roadstead.agent.standbys import make_standbys
from roadstead.model.errors import ConfigError
from tests.unit.config.test_gateway import BACKEND, loaded

HOSTS = 'host = "host2"\n'
STANDBY = """
[network]
driver = "segments"
[standbys.nas]
of = "host1"
[standbys.nas.filer]
addresses = ["172.30.0.2"]
port = 2050
[standbys.nas.storage]
physical_network = "storage"
subnets = ["172.30.0.0/24"]
"""


def test_a_standby_comes_of_it(tmp_path):
    config = loaded(tmp_path, HOSTS + STANDBY)
    (standby,) = make_standbys(config)
    assert (standby.active, standby.filer) == ("host1@nas", ("172.30.0.2",))
    assert [s.cidr for s in standby.storage] == ["172.30.0.0/24"]
    assert config.backends == {}  # it has no pool that nobody asked for


def test_a_backend_knows_who_stands_by(tmp_path):
    text = BACKEND.replace('export = "gateway"', 'export = "gateway"\nstandby = "host2"')
    (backend,) = make_backends(loaded(tmp_path, 'host = "host1"\n' + text)).values()
    assert backend.servers.paired
    servers: Any = backend.servers
    assert (servers.standby, servers.filer) == (
        "host2",
        ("172.30.0.2", "fd30::2"),
    )


def test_without_either_there_is_none(tmp_path):
    (backend,) = make_backends(loaded(tmp_path, BACKEND)).values()
    assert not backend.servers.paired
    assert list(make_standbys(loaded(tmp_path, BACKEND))) == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('of = "host1"', "", "standbys.nas.of"),
        ('of = "host1"', 'of = "host2"', "standbys.nas.of"),
        ('driver = "segments"', "", "needs a network driver"),
        ('addresses = ["172.30.0.2"]', "", "standbys.nas.filer.addresses"),
        ('"172.30.0.2"', '"172.31.0.2"', "is in none of storage.subnets"),
        ('subnets = ["172.30.0.0/24"]', "", "standbys.nas.storage.subnets"),
        ('physical_network = "storage"', "", "standbys.nas.storage.physical_network"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, old, new, told):
    with pytest.raises(ConfigError, match=told):
        loaded(tmp_path, HOSTS + STANDBY.replace(old, new))


def test_no_tenant_may_be_on_the_storage_network(tmp_path):
    networks = '[networks.flat]\ntype = "flat"\nphysical_network = "storage"\n'
    networks += 'subnets = ["10.0.0.0/24"]\n'
    with pytest.raises(ConfigError, match=r"standbys\.nas\.storage"):
        loaded(tmp_path, HOSTS + STANDBY + networks)


def test_only_an_l4_gateway_can_have_one(tmp_path):
    text = BACKEND.replace('export = "gateway"', 'export = "gateway-proxy"\nstandby = "host2"')
    with pytest.raises(ConfigError, match=r"backends.nas.standby"):
        loaded(tmp_path, text)
