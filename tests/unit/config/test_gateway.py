"""A backend in front of a filer: what its configuration must say, and what comes of it."""

from pathlib import Path

import pytest

from roadstead.agent.backends import make_backends
from roadstead.config import load as c
from roadstead.config.sections import Config
from roadstead.model.errors import ConfigError
from roadstead.roads.registry import check

BACKEND = """
[backends.nas]
pool = "filer"
export = "gateway"
roads = ["gateway"]
[backends.nas.filer]
addresses = ["172.30.0.2", "fd30::2"]
control = "memory"
tree = "/srv/nas"
path = "/export/tenants"
[backends.nas.storage]
type = "vlan"
id = 30
physical_network = "storage"
subnets = ["172.30.0.0/24,172.30.0.20-172.30.0.250", "fd30::/64"]
"""


def loaded(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "roadstead.toml"
    path.write_text(text)
    config = c.load(path, {}, state=tmp_path)
    check(config)
    return config


def test_a_backend_comes_of_it(tmp_path):
    (backend,) = make_backends(loaded(tmp_path, BACKEND)).values()
    assert backend.road.name == "gateway"
    assert backend.views({}) == {}  # nothing is exported at the host itself
    storage = backend.servers.legs(())
    assert [s.cidr for s in storage] == ["172.30.0.0/24", "fd30::/64"]
    assert {s.segment.wire for s in storage if s.segment} == {"vlan-storage-30"}
    assert (storage[0].first_address, storage[0].last_address) == ("172.30.0.20", "172.30.0.250")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('roads = ["gateway"]', 'roads = ["gateway", "direct"]', "roads"),
        ('addresses = ["172.30.0.2", "fd30::2"]', "", "filer.addresses"),
        ('"172.30.0.2"', '"172.31.0.2"', "filer.addresses: 172.31.0.2 is in none"),
        ('"172.30.0.2"', '"filer.example"', "does not appear to be"),
        ('tree = "/srv/nas"', "", "filer.tree"),
        ('path = "/export/tenants"', "", "filer.path"),
        ('"172.30.0.0/24,172.30.0.20-172.30.0.250", "fd30::/64"', "", "storage.subnets"),
        ("172.30.0.0/24,", "172.30.0.0/99,", "names no subnet"),
        ('physical_network = "storage"', "", "storage.physical_network"),
        ("id = 30", "id = 0", "storage.id"),
        ('control = "memory"', 'control = "magic"', "no driver 'magic'"),
    ],
)
def test_what_cannot_be_is_refused_by_its_key(tmp_path, old, new, told):
    assert old in BACKEND
    with pytest.raises(ConfigError, match=told):
        make_backends(loaded(tmp_path, BACKEND.replace(old, new)))


@pytest.mark.parametrize(("ids", "refused"), [("1-100", True), ("31-100", False)])
def test_no_tenant_may_name_the_storage_network(tmp_path, ids, refused):
    text = (
        BACKEND
        + f"""
[networks.tenants]
type = "vlan"
physical_network = "storage"
ids = "{ids}"
"""
    )
    if refused:
        with pytest.raises(ConfigError, match=r"networks\.tenants"):
            loaded(tmp_path, text)
    else:
        assert loaded(tmp_path, text).networks


def test_fixed_exports_need_no_directory_of_ours(tmp_path):
    text = BACKEND.replace('pool = "filer"', 'pool = "filer-fixed"')
    text = text.replace('tree = "/srv/nas"', "").replace('path = "/export/tenants"', "")
    text = (
        text.replace('control = "memory"', 'control = "fixed"')
        + """
[[backends.nas.filer.control_options.exports]]
path = "/export/a"
name = "/a"
size_gib = 100
rw = ["172.30.0.11"]
"""
    )
    (backend,) = make_backends(loaded(tmp_path, text)).values()
    assert backend.pool.stats().total == 100 << 30
    with pytest.raises(ConfigError, match="filer-fixed"):
        loaded(tmp_path, text.replace('pool = "filer-fixed"', 'pool = "filer"'))


@pytest.mark.parametrize("given", ["", "max_shares_per_share_server = 1\n"])
def test_a_proxy_gateway_has_one_share(tmp_path, given):
    """X-1: only so are its shares apart."""
    text = BACKEND.replace('export = "gateway"\n', f'export = "gateway-proxy"\n{given}')
    (backend,) = make_backends(loaded(tmp_path, text)).values()
    assert backend.export.info.gateway == "proxy"
    assert backend.server_limits["max_shares_per_share_server"] == 1
    assert backend.servers.passes_on
    assert not backend.servers.has_flows(backend.export)


def test_a_proxy_gateway_cannot_have_more(tmp_path):
    many = 'export = "gateway-proxy"\nmax_shares_per_share_server = 2\n'
    with pytest.raises(ConfigError, match="max_shares_per_share_server"):
        loaded(tmp_path, BACKEND.replace('export = "gateway"\n', many))
