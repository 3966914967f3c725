"""Tenancy cannot be forgotten: what the service asks of the store takes a scope, the row that a
read in a scope gave, or the project whose limits are counted (store/scope.py)."""

import ast
import importlib
import inspect
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, UnionType

import pytest

import roadstead.service
from roadstead.model.access import AccessRule, ResourceLock
from roadstead.model.attachments import Attachment
from roadstead.model.messages import Message
from roadstead.model.share_networks import SecurityService, ShareNetwork, ShareServer, Subnet
from roadstead.model.shares import ExportLocation, Share, ShareInstance, ShareType
from roadstead.store import attachments, shares
from roadstead.store.db import Tx
from roadstead.store.scope import Scope

# Rows that belong to a project, or are public or granted to some.
ROWS = {
    *(AccessRule, ResourceLock, Attachment, Message, SecurityService, ShareNetwork, ShareServer),
    *(Subnet, ExportLocation, Share, ShareInstance, ShareType),
}
# What belongs to no project, and why everybody's service may ask for it.
NOBODYS = {
    "availability_zones.find": "a zone is where anybody may place a share",
    "availability_zones.find_all": "the same",
    "drift.find_all": "the operator's; the policy has admitted the caller",
    "pools.capabilities": "of the pool of a share that was read in a scope",
    "pools.find_all": "a share may go to each; who sees them, the policy says",
    "quotas.class_limits": "defaults of all projects",
    "quotas.set_class_limits": "the same; the policy has admitted the caller",
    "services.find": "our own processes; the policy has admitted the caller",
    "services.find_all": "the same",
    "services.set_disabled": "the same",
    "services.set_ensuring": "the same",
    "vms.host": "compute hosts are the operator's; a VM on it was read in a scope",
    "vms.hosts": "the same; the policy has admitted the caller",
}
SERVICE = Path(roadstead.service.__file__).parent
FILES = sorted(SERVICE.rglob("*.py"))


def _imported(tree: ast.Module) -> tuple[dict[str, str], dict[str, tuple[str, str]]]:
    """Names of store modules, and of single things from them."""
    modules: dict[str, str] = {}
    things: dict[str, tuple[str, str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            plain = [alias.name for alias in node.names]
            assert not [name for name in plain if name.startswith("roadstead.store")], plain
        if not isinstance(node, ast.ImportFrom) or node.module is None:
            continue
        for alias in node.names:
            name = alias.asname or alias.name
            if node.module == "roadstead.store":
                modules[name] = alias.name
            elif node.module.startswith("roadstead.store."):
                things[name] = (node.module.removeprefix("roadstead.store."), alias.name)
    return modules, things


def _used(file: Path) -> Iterator[tuple[str, str]]:
    """(module, name) of everything of the store that the file names."""
    tree = ast.parse(file.read_text())
    modules, things = _imported(tree)
    yield from things.values()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id in modules:
                yield modules[node.value.id], node.attr


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"roadstead.store.{name}")


def _parts(annotation: object) -> Iterator[object]:
    """The types of an annotation: of `A | B` both; of `Sequence[A]` A."""
    if isinstance(annotation, UnionType) or typing.get_origin(annotation) is not None:
        for part in typing.get_args(annotation):
            yield from _parts(part)
    else:
        yield annotation


def _asks(function: Callable[..., object]) -> bool:
    """True of what sends statements that show rows or change them."""
    return Tx in inspect.get_annotations(function, eval_str=True).values()


def _is_scoped(function: Callable[..., object]) -> bool:
    found = inspect.get_annotations(function, eval_str=True)
    found.pop("return", None)
    types = {part for annotation in found.values() for part in _parts(annotation)}
    return Scope in types or bool(types & ROWS) or found.get("project_id") is str


def _functions(file: Path) -> dict[str, Callable[..., object]]:
    found: dict[str, Callable[..., object]] = {}
    for module, name in _used(file):
        thing = getattr(_module(module), name)
        # db: transactions, and locks that keep others waiting but show and change nothing.
        if module != "db" and inspect.isfunction(thing) and _asks(thing):
            found[f"{module}.{name}"] = thing
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_service_asks_in_a_scope(file: Path) -> None:
    unscoped = {name for name, function in _functions(file).items() if not _is_scoped(function)}
    assert unscoped - NOBODYS.keys() == set()


def test_what_is_nobodys_is_asked_for_and_takes_no_scope() -> None:
    asked = {name: function for file in FILES for name, function in _functions(file).items()}
    assert {name for name in NOBODYS if name not in asked or _is_scoped(asked[name])} == set()


def test_every_query_of_the_service_is_looked_at() -> None:
    """No other way leads to the database: no statement, no table."""
    used = {module for file in FILES for module, _ in _used(file)}
    assert used & {"tables", "tables_networks", "tables_attachments", "key_values"} == set()
    assert len({name for file in FILES for name in _functions(file)}) > 80


@pytest.mark.parametrize(
    "function",
    [shares.set_instance_by_id, shares.instances_on, attachments.grants_on],
    ids=lambda function: function.__name__,
)
def test_what_agents_use_is_not_taken_for_scoped(function: Callable[..., object]) -> None:
    assert _asks(function)
    assert not _is_scoped(function)
