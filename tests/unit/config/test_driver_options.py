"""Each driver that the configuration names gets directories of its own, and is asked what it
needs."""

import pytest

from roadstead.agent.chosen import complete
from roadstead.config.load import load
from roadstead.config.sections import Config
from roadstead.doctor.drivers import drivers
from roadstead.model.errors import ConfigError

EVERYTHING = """
host = "h"
[backends.local]
[backends.both]
export = "ganesha+samba"
[backends.nas]
pool = "filer"
export = "gateway-proxy"
roads = ["gateway"]
filer = { control = "memory", addresses = ["172.30.0.2"], tree = "/srv/nas", path = "/export" }
storage = { physical_network = "storage", subnets = ["172.30.0.0/24"] }
[compute]
hypervisor = "libvirt"
[network]
driver = "segments"
options = { underlay = "eth1" }
"""


def _loaded(directory, text: str) -> Config:
    file = directory / "roadstead.toml"
    file.write_text(text)
    return load(file, {}, state=directory)


def test_what_belongs_to_a_driver_is_where_it_always_was(tmp_path):
    config = complete(_loaded(tmp_path, EVERYTHING))
    local, both, nas = (config.backends[name] for name in ("local", "both", "nas"))
    assert local.pool_options["directory"] == f"{tmp_path}/pools/local"
    assert local.export_options["state_directory"] == f"{tmp_path}/exports/local"
    assert local.export_options["run_directory"] == f"{tmp_path}/run/exports/local"
    assert both.export_options["state_directory"] == f"{tmp_path}/exports/both"
    assert both.export_options["samba"] == {"port": 445}
    assert nas.export_options["run_directory"] == f"{tmp_path}/run/exports/nas"
    assert nas.pool_options["log_directory"] == f"{tmp_path}/run/pools/nas"
    compute = config.compute
    assert compute.hypervisor_options["directory"] == f"{tmp_path}/hypervisor"
    assert compute.hypervisor_options["mounts"] == f"{tmp_path}/run/compute"
    assert compute.mounts_options["directory"] == f"{tmp_path}/run/compute"


def test_what_is_given_stays(tmp_path):
    text = EVERYTHING.replace("[backends.local]", "[backends.local.pool_options]\ndirectory = '/d'")
    text = text.replace("[compute]", "[compute]\nmounts = '/m'")
    config = complete(_loaded(tmp_path, text))
    assert config.backends["local"].pool_options["directory"] == "/d"
    assert config.network.options["underlay"] == "eth1"
    assert config.compute.hypervisor_options["mounts"] == "/m"
    assert config.compute.mounts_options["directory"] == "/m"


def test_two_services_of_one_machine_have_segments_of_their_own(tmp_path):
    owners = set()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        config = complete(_loaded(tmp_path / name, EVERYTHING))
        owners.add(config.network.options["owner"])
    assert len(owners) == 2
    assert all(owner.startswith("h-") for owner in owners)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("[backends.local]\npool_options = { backing_gibb = 1 }", "pool_options.backing_gibb: unk"),
        ("[backends.local]\nexport_options = { port = 99999 }", "export_options.port: Expected"),
        ("[compute]\nhypervisor = 'libvirt'\nmounts_options = { x = 1 }", "mounts_options.x: unkn"),
        ("[network]\ndriver = 'segments'\noptions = { vlan = 'x' }", "network.options.vlan: Inva"),
    ],
)
def test_the_doctor_names_a_wrong_option(tmp_path, key, said):
    config = _loaded(tmp_path, key)
    with pytest.raises(ConfigError, match=said.replace(".", r"\.")):
        complete(config)
    wrong = [check for check in drivers(config) if said in check.found]
    assert [check.state for check in wrong] == ["missing"]
