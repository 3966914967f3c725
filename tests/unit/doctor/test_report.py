"""The doctor: findings are facts, and the verdict follows from them."""

import json
import os
import socket

import pytest

from roadstead.config import load as c
from roadstead.config.sections import ComputeConfig, Config, HostNetworkConfig, NetworkConfig
from roadstead.doctor import (
    hypervisor as doctor_compute,
)
from roadstead.doctor import (
    network as doctor_network,
)
from roadstead.doctor import (
    report as doctor,
)
from roadstead.doctor.report import all_checks
from roadstead.drivers.host import needs
from roadstead.drivers.host.needs import Check
from roadstead.model.world import PoolInfo
from roadstead.roads.registry import known


def _check(state: needs.State, road: str = "direct") -> Check:
    return Check(road=road, name="x", state=state, found="[f]", fix="do it")


def test_a_road_works_when_nothing_is_missing():
    assert doctor.works([_check("ok"), _check("warn"), _check("missing", "network")], "direct")
    assert not doctor.works([_check("ok"), _check("missing")], "direct")


def test_the_exit_code_is_about_the_direct_road(tmp_path, monkeypatch, capsys):
    config = c.load(None, {}, state=tmp_path)
    verdicts: list[tuple[needs.State, int]] = [("warn", 0), ("missing", 1)]
    for state, expected in verdicts:
        found = [_check(state), _check("missing", "gateway")]
        monkeypatch.setattr(doctor, "all_checks", lambda _config, found=found: found)
        assert doctor.run(config) == expected
        assert "do it" in capsys.readouterr().out
        assert doctor.run(config, as_json=True) == expected
        said = json.loads(capsys.readouterr().out)
        assert said["roads"]["direct"] is (expected == 0)
        assert said["checks"][0]["found"] == "[f]"


def test_every_road_is_looked_at_and_nothing_is_left_behind(tmp_path):
    found = all_checks(c.load(None, {}, state=tmp_path))
    assert {check.road for check in found} == set(known())
    assert all(check.fix for check in found if check.state == "missing")
    assert list(tmp_path.iterdir()) == []


def test_a_program_tells_its_version(tmp_path, monkeypatch):
    program = tmp_path / "thing"
    program.write_text("#!/bin/sh\necho thing release v4.3-rc1, 2024\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    found = needs.tool("direct", "thing", ["-v"], "get it")
    assert (found.state, found.found) == ("ok", "v4.3-rc1")
    assert needs.tool("direct", "no-such-thing", ["-v"], "get it").state == "missing"
    assert needs.tool("direct", "no-such-thing", ["-v"], "get it", need=False).state == "warn"


def test_a_taken_port_is_missing_unless_it_is_ours():
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert needs.port_free("direct", "port", port, serving=False).state == "missing"
        assert needs.port_free("direct", "port", port, serving=True).state == "ok"
    assert needs.port_free("direct", "port", port, serving=False).state == "ok"


def test_absent_packages_are_named():
    found = needs.python_packages("direct", ("json", "no_such_package_here"))
    assert (found.state, found.found) == ("missing", "without no_such_package_here")


def _compute(config: Config) -> dict[str, Check]:
    return {check.name: check for check in doctor_compute.hypervisor(config)}


def test_the_hypervisor_road_is_tried_not_guessed(tmp_path):
    """What can be tried without a libvirtd is; a libvirtd that is not there is missing."""
    options = {"uri": f"qemu+unix:///system?socket={tmp_path}/none", "virtiofsd": "/no/virtiofsd"}
    compute = ComputeConfig(hypervisor_options=options)
    found = _compute(Config(state_directory=str(tmp_path), compute=compute))
    assert found["shared memory"].state == "ok"
    assert found["virtiofsd"].state == "missing"
    assert "virtiofsd" in found["virtiofsd"].fix
    assert found["libvirt"].state == "missing"
    assert "uri" in found["libvirt"].fix
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("virtiofsd backend 1.13.2", "1.13.2 (in Rust)"),
        ("virtiofsd version 7.2.22\\nusing FUSE kernel interface", "7.2.22 (QEMU's, in C)"),
    ],
)
def test_the_kind_of_virtiofsd_is_told(tmp_path, said, told):
    program = tmp_path / "virtiofsd"
    program.write_text(f"#!/bin/sh\nprintf '{said}\\n'\n")
    program.chmod(0o755)
    options = {"uri": "qemu+unix:///system?socket=/none", "virtiofsd": str(program)}
    found = _compute(Config(compute=ComputeConfig(hypervisor_options=options)))
    assert (found["virtiofsd"].state, told in found["virtiofsd"].found) == ("ok", True)


def _network(config: Config) -> dict[str, Check]:
    return {check.name: check for check in doctor_network.network(config)}


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: it makes network namespaces")
def test_the_network_road_is_tried_in_a_namespace_that_is_gone(tmp_path):
    """What the driver uses is tried; VLANs need the kernel or a running Open vSwitch."""
    options = {"ovs_database": f"unix:{tmp_path}/none"}
    found = _network(Config(network=HostNetworkConfig(options=options)))
    tried = ("namespaces", "veth", "bridge", "anti-spoofing", "host protection", "vxlan")
    assert {found[name].found for name in tried} == {"tried, works"}
    assert found["driver"].state == "warn"
    assert "[network]" in found["driver"].fix
    vlan = found["vlan"]
    assert vlan.state == ("ok" if "by the kernel" in vlan.found else "warn")
    assert vlan.state == "ok" or "8021q" in vlan.fix
    assert not {"a0", "b0", "x0"} & set(os.listdir("/sys/class/net"))


def test_segments_that_this_host_cannot_be_on_are_missing():
    network = HostNetworkConfig(driver="memory", options={"physical_networks": {"rack": "x"}})
    pools = {
        "tenants": NetworkConfig(type="vxlan", ids="1000-1999"),
        "office": NetworkConfig(type="vlan", ids="1-9", physical_network="rack"),
        "attic": NetworkConfig(type="vlan", ids="1-9", physical_network="roof"),
    }
    found = _network(Config(network=network, networks=pools))
    assert found["driver"].state == "ok"
    states = {name: found[f"segments {name}"].state for name in pools}
    assert states == {"tenants": "ok", "office": "ok", "attic": "missing"}
    assert "roof" in found["segments attic"].found


def test_wrong_options_of_the_network_driver_are_said():
    network = HostNetworkConfig(driver="segments", options={"no_such_option": 1})
    found = _network(Config(network=network))
    assert (found["driver"].state, "options" in found["driver"].fix) == ("missing", True)


def test_a_database_that_cannot_be_looked_for_hides_no_other_finding(tmp_path):
    """As for a user who may not look into the directory."""
    config = c.load(None, {"ROADSTEAD_DATABASE": f"sqlite:///{tmp_path}/{'x' * 300}"}, tmp_path)
    found = all_checks(config)
    (told,) = [check for check in found if check.name == "shares' backends"]
    assert (told.state, told.found) == ("warn", "not asked: OSError")


class Shelf:
    """A stranger's pool: it can be made, and fails at whatever is asked before `ensure_pool`."""

    info = PoolInfo(kind="shelf", isolation="weak")

    def __init__(self, *, name: str) -> None:
        """It touches nothing."""

    @classmethod
    def doctor(cls, _options: object, _examined: object) -> None:
        raise ValueError("no label on the shelf")

    def inventory(self) -> None:
        raise FileNotFoundError("no such shelf yet")


def test_a_drivers_own_fault_hides_no_other_finding(tmp_path, monkeypatch):
    about = tmp_path / "site" / "shelf-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: shelf\nVersion: 1\n")
    (about / "entry_points.txt").write_text(f"[roadstead.pools]\nshelf = {__name__}:Shelf\n")
    monkeypatch.syspath_prepend(about.parent)
    file = tmp_path / "roadstead.toml"
    file.write_text('[backends.a]\npool = "shelf"\nexport = "memory"\n')
    found = all_checks(c.load(file, {}, state=tmp_path))
    (told,) = [check for check in found if check.name == "shelf (a)"]
    assert (told.road, told.state) == ("direct", "warn")
    assert told.found == "its own check failed: ValueError: no label on the shelf"
    assert {check.road for check in found} == set(known())
