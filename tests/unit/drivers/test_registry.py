"""A driver gets what the configuration says, and is told which key is wrong."""

from __future__ import annotations

import inspect
import os
import re
import socket
import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint, EntryPoints
from typing import Annotated, Any

import msgspec
import pytest

from roadstead.drivers import reference, registry
from roadstead.drivers.base.options import DriverOptions, Examined, Where
from roadstead.drivers.registry import AXES, Choice, installed, load, options_of
from roadstead.model.documented import doc, doc_of
from roadstead.model.errors import ConfigError

HERE = Where(name="a", state_directory="/state/a", run_directory="/run/a", owner="me", mounts="/m")
DRIVERS = [(axis, name) for axis in AXES for name in installed(axis)]


class Stranger:
    """A stranger's driver."""

    class Options(DriverOptions, frozen=True):
        """Its own."""

        size: Annotated[int, doc("How large", ge=1)]
        directory: Annotated[str, doc("Where")]

        @classmethod
        def defaults(cls, where: Where) -> dict[str, Any]:
            return {"directory": where.state_directory}

    def __init__(self, options: Options, *, name: str) -> None:
        self.told = (name, options.directory, options.size)
        if options.size == 13:
            raise TypeError("a fault inside")


@pytest.fixture(autouse=True)
def stranger(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if packages with such entry points were installed, too: one of them is broken."""
    found = registry.entry_points

    def with_stranger(*, group: str, **wanted: Any) -> EntryPoints:
        pools = [
            EntryPoint("stranger", f"{__name__}:Stranger", "roadstead.pools"),
            EntryPoint("rubble", "no_such_module:Rubble", "roadstead.pools"),
        ]
        known = [*found(group=group), *(pools if group == pools[0].group else [])]
        return EntryPoints(known).select(**wanted)

    monkeypatch.setattr(registry, "entry_points", with_stranger)


def choice(axis: str, driver: str, **given: Any) -> Choice:
    return Choice(
        axis=axis, driver=driver, key="a.driver", options_key="a.opts", given=given, where=HERE
    )


def made(**given: Any) -> Any:
    return registry.make_pool(choice("pools", "stranger", **given), name="a")


def test_a_driver_gets_its_directory_and_what_is_given():
    assert made(size=2).told == ("a", "/state/a", 2)
    assert made(size=2, directory="/else").told == ("a", "/else", 2)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"size": 1, "sise": 2}, "a.opts.sise: unknown; known: size, directory"),
        ({"size": "2"}, "a.opts.size: Expected `int`, got `str`"),
        ({"size": 0}, "a.opts.size: Expected `int` >= 1"),
        ({}, "a.opts.size: stranger needs it"),
    ],
)
def test_a_wrong_key_is_named(given: dict[str, Any], said: str):
    with pytest.raises(ConfigError, match=f"^{re.escape(said)}$"):
        made(**given)


def test_a_wrong_name_is_told_where_it_stands():
    with pytest.raises(ConfigError, match=r"a\.driver: no driver 'imge' in roadstead\.pools"):
        registry.options(choice("pools", "imge"))
    with pytest.raises(ConfigError, match="no drivers 'pool'"):
        installed("pool")


def test_a_driver_that_cannot_be_loaded_is_told_where_it_stands():
    said = r"a\.driver: driver 'rubble' of no_such_module:Rubble cannot be loaded: ModuleNotFound"
    with pytest.raises(ConfigError, match=said):
        registry.options(choice("pools", "rubble"))


def test_a_fault_in_a_driver_is_no_error_of_the_configuration():
    with pytest.raises(TypeError, match="a fault inside"):
        made(size=13)


def test_a_driver_that_fits_no_road_of_the_backend_is_told():
    with pytest.raises(ConfigError, match=r"a\.driver: stranger is of no use here: .*control"):
        registry.make_pool(choice("pools", "stranger", size=1), name="a", control=None)


def test_a_driver_without_checks_has_none():
    told = choice("pools", "stranger", size=1)
    assert list(registry.doctor(told, Examined(road="direct", name="a"))) == []


# --- those that are here --------------------------------------------------------------------------


@pytest.mark.parametrize(("axis", "name"), DRIVERS)
def test_each_option_is_described(axis: str, name: str):
    kind = options_of(load(axis, name))
    hints = inspect.get_annotations(kind)
    assert all(doc_of(hint) for hint in hints.values()), hints
    assert reference.of_driver(axis, name) or not msgspec.structs.fields(kind)


@pytest.mark.parametrize(("axis", "name"), DRIVERS)
def test_what_is_printed_can_be_given(axis: str, name: str):
    """Uncommented, the table is what the driver takes without it."""
    told = {"host": "h", "config_directory": "/c", "program": "p", "exports": []}
    text = "\n".join(
        line.removeprefix("# ")
        for line in reference.as_toml(f"{axis}/{name}").splitlines()
        if re.match(r"# [\w.]+ = (?!#)", line)
    )
    kind = options_of(load(axis, name))
    own = kind.defaults(HERE)
    needed = {
        f.name: told[f.name]
        for f in msgspec.structs.fields(kind)
        if f.required and f.name not in own
    }
    told_nothing = registry.options(choice(axis, name, **needed))
    given = tomllib.loads(text)
    for key in own:
        given[key] = own[key]
    assert registry.options(choice(axis, name, **needed, **given)) == told_nothing


def test_an_axis_alone_tells_its_drivers():
    with pytest.raises(ConfigError, match=r"pools: which of pools/filer .*pools/image"):
        reference.as_toml("pools")
    with pytest.raises(ConfigError, match=r"no driver .x. in roadstead\.pools"):
        reference.as_toml("pools/x")


@pytest.mark.parametrize(("key", "value"), [("vlan", "ovss"), ("ovs_datapath", "kernel")])
def test_a_network_option_of_an_unknown_kind_is_refused(key: str, value: str):
    """And not taken for one of those that cannot be had here."""
    with pytest.raises(ConfigError, match=rf"a\.opts\.{key}: .*'{value}'"):
        registry.options(choice("networks", "segments", **{key: value}))


def test_ganesha_says_whether_its_port_is_taken():
    with socket.create_server(("0.0.0.0", 0)) as taken:
        told = choice("exports", "ganesha", port=taken.getsockname()[1])
        asked = Examined(road="direct", name="a", listens_here=True)
        (check,) = registry.doctor(told, asked)
        assert (check.road, check.state, "(a)" in check.name) == ("direct", "missing", True)
        served = msgspec.structs.replace(asked, serving=True)
        assert [c.state for c in registry.doctor(told, served)] == ["ok"]
        elsewhere = msgspec.structs.replace(asked, listens_here=False)
        assert list(registry.doctor(told, elsewhere)) == []


def test_a_server_that_was_left_running_is_no_other_one(tmp_path):
    """As `roadstead up` leaves it when it ends."""
    conf = tmp_path / "host-a" / "ganesha.conf"
    conf.parent.mkdir()
    conf.touch()
    with socket.create_server(("0.0.0.0", 0)) as taken:
        given = {"port": taken.getsockname()[1], "state_directory": str(tmp_path)}
        told = choice("exports", "ganesha", **given)
        asked = Examined(road="direct", name="a", listens_here=True)
        assert [c.state for c in registry.doctor(told, asked)] == ["missing"]
        argv = ["ganesha.nfsd", "-c", "input()", "-f", str(conf)]
        left = subprocess.Popen(argv, executable=sys.executable, stdin=subprocess.PIPE)
        try:
            assert [c.state for c in registry.doctor(told, asked)] == ["ok"]
        finally:
            left.communicate(b"\n")


def test_nothing_is_made_by_being_told(tmp_path):
    where = msgspec.structs.replace(HERE, state_directory=f"{tmp_path}/s")
    told = msgspec.structs.replace(choice("pools", "image"), where=where)
    registry.make_pool(told, name="a")
    assert os.listdir(tmp_path) == []
