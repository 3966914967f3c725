"""No module outside `roads/` asks which road it is: it asks the road."""

import ast
from pathlib import Path

import pytest

import roadstead
from roadstead.roads.registry import known

SOURCE = Path(roadstead.__file__).parent
# Words that mean nothing else; "network" and "gateway" are also names of things on the wire.
PLAIN = {"direct", "hypervisor"}
# What a Backend said before there were roads.
OLD = {"exports_itself", "is_gateway", "passes_flows", "networked", "standby", "storage", "filer"}
WHY = {
    "config/sections.py": "the key's default",
    "drivers/registry.py": "the key and the directory of the hypervisor's driver, not the road",
    "doctor/drivers.py": "whose checks those of a driver are",
    "doctor/direct.py": "whose checks these are: doctor has a file a road",
    "doctor/hypervisor.py": "the same",
    "doctor/gateway.py": "the same; its `backend` is a table of the configuration",
    "explain/vm.py": "the way of an attachment, which no backend has",
    "explain/server.py": "a share server's row and a hop, as they are told",
}


def _texts(node: ast.AST) -> set[str]:
    found = (n.value for n in ast.walk(node) if isinstance(n, ast.Constant))
    return {value for value in found if isinstance(value, str)}


def _asked(tree: ast.Module) -> set[str]:
    """Names of roads that something is compared with, or that can be nothing else; and what only
    roads know, asked of a backend."""
    names, found = set(known()), set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare | ast.match_case):
            found |= _texts(node) & names
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found |= {node.value} & PLAIN
        elif isinstance(node, ast.Attribute) and node.attr in OLD:
            owner = node.value
            name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
            found |= {f"backend.{node.attr}"} if name.strip("_") == "backend" else set()
    return found


def _modules() -> dict[str, set[str]]:
    files = (f.relative_to(SOURCE) for f in SOURCE.rglob("*.py"))
    outside = (f for f in files if f.parts[0] != "roads")
    return {str(f): _asked(ast.parse((SOURCE / f).read_text())) for f in outside}


def test_nobody_asks():
    asking = {name: asked for name, asked in _modules().items() if asked}
    assert {name: asked for name, asked in asking.items() if name not in WHY} == {}
    assert set(WHY) - set(asking) == set()  # no exception that is none


@pytest.mark.parametrize(
    "line",
    [
        'if "gateway" in backend.roads: pass',
        'x = backend.roads == ("network",)',
        'match road:\n case "network": pass',
        'ROAD = "direct"',
        "if self._backend.standby: pass",
        "if run.backend.passes_flows: pass",
    ],
)
def test_who_asks_is_found(line):
    assert _asked(ast.parse(line))
