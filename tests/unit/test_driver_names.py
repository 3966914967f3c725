"""Only drivers, and the defaults of the configuration, know which drivers there are."""

import ast
from pathlib import Path

from roadstead.drivers.registry import AXES, installed

SOURCE = Path(__file__).parents[2] / "src/roadstead"
NAMES = {name for axis in AXES for name in installed(axis)}
ELSEWHERE = ("drivers/", "config/sections.py", "store/migrations/")
# A road, and a subnet's field; the backend that is there without any.
ORDINARY = frozenset(("gateway", "local"))
# The same words, meaning something else; and what a road says of its drivers until it has a place
# of its own for that.
MEANT_OTHERWISE = {
    ("agent/backends.py", "filer"): "what an export server on the road gateway is told",
    ("roads/gateway/checks.py", "gateway-proxy"): "what the road gateway says of its backends",
    ("roads/gateway/checks.py", "fixed"): "what the road gateway says of its backends",
    ("roads/gateway/checks.py", "filer-fixed"): "what the road gateway says of its backends",
    ("doctor/hypervisor.py", "libvirt"): "the Python package, and a check's name",
    ("ops/compute_report.py", "libvirt"): "a key: the version of what runs the VMs",
    ("explain/vm.py", "libvirt"): "a key: the version of what runs the VMs",
    ("ops/share_servers.py", "segments"): "a step of a recipe",
}


def test_no_driver_is_named_but_by_drivers():
    found = set(_literals())
    assert found - MEANT_OTHERWISE.keys() == set()
    assert MEANT_OTHERWISE.keys() - found == set()


def _literals():
    for path in sorted(SOURCE.rglob("*.py")):
        name = str(path.relative_to(SOURCE))
        if not name.startswith(ELSEWHERE):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Constant) and node.value in NAMES - ORDINARY:
                    yield name, node.value
