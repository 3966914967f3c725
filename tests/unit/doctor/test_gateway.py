"""The doctor on the gateway road: tried, not guessed, and backends as they are configured."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from roadstead.config import sections as c
from roadstead.doctor import gateway as doctor_gateway
from roadstead.doctor.drivers import drivers
from roadstead.drivers.host.needs import Check

TRIED = ("nft inet nat", "ct mark", "a gateway's rules", "conntrack", "forwarding")
HERE = {"driver": "memory", "options": {"physical_networks": {"rack": "x"}}}


def _gateway(config: c.Config) -> dict[str, Check]:
    return {check.name: check for check in doctor_gateway.gateway(config)}


def _nas(tree: Path, storage: str = "rack", *, local: bool = True, **filer: Any) -> c.Config:
    """A host with one backend behind gateways."""
    about: dict[str, Any] = {"addresses": ("127.0.0.1",), "control": "memory", "path": "/srv"}
    about["tree"] = "" if filer.get("control") == "fixed" else str(tree)
    backend = c.BackendConfig(
        pool="filer",
        export="gateway",
        roads=("gateway",),
        pool_options={"allow_local": local},
        filer=c.FilerConfig(**(about | filer)),
        storage=c.StorageConfig(physical_network=storage, subnets=("127.0.0.0/24",)),
    )
    return c.Config(backends={"nas": backend}, network=c.HostNetworkConfig(**HERE))


def test_a_proxy_needs_a_program_with_its_back_end(tmp_path):
    config = _nas(tmp_path)
    backends = {"nas": msgspec.structs.replace(config.backends["nas"], export="gateway-proxy")}
    config = msgspec.structs.replace(config, backends=backends)
    found = {check.name: check for check in drivers(config)}
    assert {check.road for check in found.values()} == {"gateway"}
    assert (found["ganesha.nfsd"].state, found["ganesha PROXY_V4"].state) == ("ok", "ok")
    assert found["ganesha PROXY_V4"].fix == "apt install nfs-ganesha-proxy-v4"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: it makes network namespaces")
def test_the_kernel_is_tried_in_a_namespace_that_is_gone():
    """The rules are those that gateways really load; the host itself does not begin to forward."""
    forwards = Path("/proc/sys/net/ipv4/ip_forward")
    before = forwards.read_text()
    found = _gateway(c.Config())
    assert {found[name].found for name in TRIED} == {"tried, works"}
    assert forwards.read_text() == before


def test_without_keepalived_there_is_no_standby_and_that_is_all(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("roadstead.drivers.host.needs._SBIN", str(tmp_path))
    found = _gateway(c.Config())
    assert (found["keepalived"].state, found["nft"].state) == ("warn", "missing")
    assert "standby" in found["keepalived"].fix
    assert (found["conntrackd"].state, "take-over" in found["conntrackd"].fix) == ("warn", True)


def test_a_backend_that_can_work_is_said_to(tmp_path, listener):
    found = _gateway(_nas(tmp_path, port=listener.getsockname()[1]))
    names = ("tree (nas)", "control (nas)", "filer 127.0.0.1 (nas)", "storage network (nas)")
    assert [found[name].state for name in names] == ["ok"] * 4


def test_a_tree_that_is_not_mounted_would_take_what_is_the_filers(tmp_path):
    """And an address that only the gateways reach is no fault of this host."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        found = _gateway(_nas(tmp_path, local=False, port=unused.getsockname()[1]))
    assert found["tree (nas)"].state == "missing"
    assert "mount" in found["tree (nas)"].fix
    assert found["filer 127.0.0.1 (nas)"].state == "warn"


def test_a_mount_that_the_agent_makes_is_told(tmp_path, monkeypatch):
    from roadstead.drivers.host.nfs import means

    seen = means.facts()
    config = _nas(tmp_path, local=False, mount="127.0.0.1:/admin")
    found = _gateway(config)["tree (nas)"]
    assert found.state == ("ok" if seen.nfs_client else "missing")
    assert "127.0.0.1:/admin" in found.found or "nfs" in found.fix


@pytest.mark.parametrize(
    ("control", "options"),
    [
        ("no-such", {}),
        ("memory", {"no_such_option": 1}),
        ("ganesha", {"config_directory": "/no/such", "bus": "/no/bus"}),
    ],
)
def test_a_control_that_does_not_work_is_said(tmp_path, control, options):
    found = _gateway(_nas(tmp_path, control=control, control_options=options))["control (nas)"]
    assert found.state == "missing"
    assert found.found
    assert "[backends.nas.filer]" in found.fix


def test_a_storage_network_that_is_not_here_is_missing(tmp_path):
    found = _gateway(_nas(tmp_path, storage="roof"))["storage network (nas)"]
    assert (found.state, "roof" in found.found) == ("missing", True)


def test_fixed_exports_need_no_tree(tmp_path):
    options = {"exports": [], "state_directory": str(tmp_path)}
    found = _gateway(_nas(tmp_path, control="fixed", control_options=options))
    assert "tree (nas)" not in found
    assert found["control (nas)"].state == "ok"


def test_other_backends_are_not_asked():
    found = _gateway(c.Config(backends={"local": c.BackendConfig()}))
    assert not [name for name in found if "(local)" in name]
