"""Nonsense for every route of the table, from an administrator: never a 500.

Generated from the route table, so that a new route is tried as soon as it is there; in the
database whose columns have lengths too.
"""

import copy
import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from roadstead.api.app import make_app
from roadstead.api.route import Route
from roadstead.api.routes import ROUTES
from roadstead.api.versions import EXPERIMENTAL_HEADER
from roadstead.model.ids import new_id
from roadstead.model.network_pools import NetworkPool
from roadstead.ops.report import report
from roadstead.store import share_networks, share_servers, tables
from roadstead.store import tables_networks as networks
from roadstead.store.scope import everyone
from tests.factories import DEFAULT_SPECS, HOST, World, make_world
from tests.unit.api.client import FOREIGN, OWNER, Client, HeaderAuth

# Of the rows with one handler the last: it has had the most versions to learn.
NEWEST = list({(r.method, r.path.replace("os-", ""), r.handler): r for r in ROUTES}.values())
BODIES = [r for r in NEWEST if r.method in ("POST", "PUT")]
LISTS = [
    r
    for r in NEWEST
    if r.method == "GET" and r.max is None and r.variables in ((), ("project_id",))
]

HUGE = 10**40
NONSENSE: list[Any] = [
    None, True, False, 0, -1, 1, 1.5, 1e300, 2**31, 2**63, HUGE, -HUGE, "", " ", "x", "x" * 300,
    "x" * 5000, "0", "-1", "1.5", "9" * 100, "\0", "a\0b", "\u00e4\U0001f600", "\u202e\n\t", "%s{}",
    "' OR 1=1 --", "null", [], [None], [[]], ["x"], {}, {"x": 1}, {"": ""}, {"x": {"x": ["x"]}},
    {"x" * 300: "x"}, {"a\0": "b"}, {"k": "\0"},
]  # fmt: skip
RAW = [
    b"", b"null", b"[]", b"1", b'"x"', b"{", b"{}", b"\xff\xfe", b"{}{}", b"[" * 5000,
    b'{"a":' * 3000, b'{"x":"\\ud800"}', b'{"x":"\x00"}', b'{"x":1e999}', b'{"x":NaN}',
    b'{"x":' + b"9" * 5000 + b"}", b"\xef\xbb\xbf{}", b"x" * 120_000,
]  # fmt: skip
PATH = [
    "%00",
    "x%00",
    "x" * 300,
    "%ED%A0%80",
    "%FF",
    "%F0%9F%98%80",
    "..",
    "%2e%2e",
    " ",
    "'",
    "%25",
]
WORDS = [
    "", "x", "-1", "1.5", "9" * 40, "%00", "%ED%A0%80", "%FF", "%F0%9F%98%80", "x" * 3000, "[]",
    "{'a':1}", "{'a':'%5Cud800'}", "{1:2}", "((((", "true", "2026-13-01", "%25'",
    "0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-14:00", "(?P<", "a{99999}",
]  # fmt: skip
QUERY = (
    "limit offset marker sort_key sort_dir with_count all_tenants is_public is_soft_deleted "
    "metadata extra_specs name name~ description~ status host share_server_id share_type_id "
    "project_id export_location_id export_location_path availability_zone share_id access_type "
    "access_to access_level access_key id user_id share_type pool backend created_since "
    "created_before resource_type message_level ensuring state zone binary "
    "neutron_net_id segmentation_id cidr ip_version gateway mtu network_type security_service_id "
    "share_network share_network_id share_network_subnet_id is_auto_deletable task_state user"
).split()


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.pg)])
def world(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One for all: whatever nonsense does to it, each route is tried with fresh objects."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('nonsense')}/db"
    else:
        url = request.getfixturevalue("postgres").create_database(f"t_{new_id().replace('-', '')}")
    pool = NetworkPool(name="tenants", kind="vxlan", first=1, last=2**20)
    made = make_world(url, networks={"tenants": pool})
    yield made
    made.close()


@pytest.fixture(scope="module")
def caller(world: World) -> Client:
    client = Client(make_app(world.service, auth=HeaderAuth()), OWNER, "admin,member,reader")
    client.put(
        f"/quota-sets/{OWNER}", {"quota_set": {"shares": -1, "gigabytes": -1, "share_networks": -1}}
    )
    return client


def _objects(world: World, client: Client) -> dict[str, str]:
    """Something for every variable of a path. No operation runs after that, and what was asked
    for since the last time is gone."""
    with world.db.write() as tx:
        served = sa.select(tables.share_instances.c.share_id).join(tables.export_locations)
        tx.execute(tables.shares.delete().where(tables.shares.c.id.not_in(served)))
        tx.execute(tables.messages.delete())
        for table in (networks.share_networks, networks.security_services, networks.share_servers):
            tx.execute(table.delete())
        tx.execute(tables.operations.delete().where(tables.operations.c.share_id == ""))
    report(world.db, HOST, world.backends.values())
    world.engine.pending.clear()
    world.engine.start(world.runner.run)
    share_id = client.share(metadata={"k": "v"})["id"]
    (location,) = client.get(f"/shares/{share_id}/export_locations").json["export_locations"]
    (instance,) = client.get(f"/shares/{share_id}/instances").json["share_instances"]
    client.post("/shares", {"share": {"share_proto": "CIFS", "size": 1}})
    access_id = client.rule(share_id, metadata={"k": "v"})["id"]
    world.engine.stop()
    new_type = {"share_type": {"name": new_id(), "extra_specs": DEFAULT_SPECS}}
    return {
        "share_id": share_id,
        "access_id": access_id,
        "location_id": location["id"],
        "instance_id": instance["id"],
        "message_id": client.get("/messages?limit=1").json["messages"][0]["id"],
        **_network_objects(world, client),
        "type_id": client.post("/types", new_type).json["share_type"]["id"],
        "project_id": FOREIGN,
        "class_name": "gold",
        "verb": "enable",
        "network": "tenants",
        "label": "blue",
        "address": "10.0.0.0",
        "prefix": "24",
        "key": "k",
    }


def _network_objects(world: World, client: Client) -> dict[str, str]:
    made = client.post("/share-networks", {"share_network": {"name": "n"}}).json["share_network"]
    (subnet,) = made["share_network_subnets"]
    path = f"/share-networks/{made['id']}/subnets/{subnet['id']}/metadata"
    client.post(path, {"metadata": {"k": "v"}})
    service = client.post("/security-services", {"security_service": _SECURITY})
    with world.db.write() as tx:
        found = share_networks.get(tx, everyone(), made["id"])
        assert found
        wanted = share_servers.Wanted(host="node1@local", subnet_ids=(subnet["id"],))
        server, _ = share_servers.ensure_row(tx, found, wanted)
    return {
        "share_network_id": made["id"],
        "subnet_id": subnet["id"],
        "security_service_id": service.json["security_service"]["id"],
        "share_server_id": server.id,
    }


_SECURITY = {
    "type": "active_directory", "name": "n", "description": "d", "dns_ip": "192.0.2.1",
    "server": None, "domain": "d", "user": "u", "password": "p", "ou": "o", "default_ad_site": "s",
}  # fmt: skip
_NETWORK = {
    "name": "n", "description": "d", "neutron_net_id": "tenants/a", "nova_net_id": None,
    "neutron_subnet_id": "10.0.0.0/24,10.0.0.1,10.0.0.9-10.0.0.20", "availability_zone": "nova",
}  # fmt: skip
_SUBNET = {**_NETWORK, "metadata": {"k": "v"}}
_RULE = {
    "access_type": "ip", "access_to": "192.0.2.9", "access_level": "rw", "metadata": {"k": "v"},
    "lock_visibility": False, "lock_deletion": False, "lock_reason": None,
}  # fmt: skip
_SHARE = {
    "share_proto": "NFS", "size": 1, "name": "n", "description": "d", "display_name": "n",
    "display_description": "d", "share_type": "default", "share_network_id": None,
    "snapshot_id": None, "availability_zone": "nova", "metadata": {"k": "v"}, "is_public": False,
    "scheduler_hints": {"same_host": "", "different_host": "", "only_host": ""},
    "mount_point_name": "", "volume_type": None,
}  # fmt: skip
_TYPE = {
    "name": "t", "description": "d", "share_type_access:is_public": True,
    "extra_specs": {**DEFAULT_SPECS, "provisioning:min_share_size": "1", "availability_zones": "a"},
}  # fmt: skip
ACTIONS: dict[str, Any] = {
    "extend": {"new_size": 2, "force": False},
    "shrink": {"new_size": 1},
    "reset_status": {"status": "available"},
    "reset_task_state": {"task_state": None},
    "force_delete": None,
    "allow_access": _RULE,
    "deny_access": {"access_id": "x", "unrestrict": True},
    "access_list": None,
    "addProjectAccess": {"project": OWNER},
    "removeProjectAccess": {"project": OWNER},
    "add_security_service": {"security_service_id": "x"},
    "add_security_service_check": {"security_service_id": "x", "reset_operation": False},
    "remove_security_service": {"security_service_id": "x"},
    "update_security_service": {"current_service_id": "x", "new_service_id": "y"},
    "update_security_service_check": {"current_service_id": "x", "new_service_id": "y"},
    "share_network_subnet_create_check": {**_NETWORK, "reset_operation": True},
    "unmanage": {"force": False},
}
# By the end of the path.
SHAPES: dict[str, Any] = {
    "/shares": {"share": _SHARE},
    "/shares/{share_id}": {"share": _SHARE},
    "/share-networks": {"share_network": _NETWORK},
    "/share-networks/{share_network_id}": {"share_network": _NETWORK},
    "/subnets": {"share-network-subnet": _SUBNET},
    "/security-services": {"security_service": _SECURITY},
    "/security-services/{security_service_id}": {"security_service": _SECURITY},
    "/share-servers/manage": {
        "share_server": {
            "host": "node1@local",
            "share_network_id": "x",
            "identifier": "i",
            "driver_options": {"k": "v"},
            "share_network_subnet_id": "x",
        }
    },
    "/metadata": {"metadata": {"k": "v"}},
    "/metadata/{key}": {"metadata": {"k": "v"}},
    "/share-access-rules/{access_id}": {"update_access": {"access_level": "ro"}},
    "/types": {"share_type": _TYPE},
    "/types/{type_id}": {"share_type": _TYPE},
    "/extra_specs": {"extra_specs": {"k": "v", "replication_type": "dr"}},
    "/extra_specs/{key}": {"k": "v"},
    "-sets/{project_id}": {"quota_set": {"shares": 5, "gigabytes": 5, "force": True}},
    "-class-sets/{class_name}": {"quota_class_set": {"shares": 5}},
    "/services/ensure-shares": {"ensure_shares": {"host": "node1@local"}},
    "services/{verb}": {"host": "node1@local", "binary": "manila-share", "disabled_reason": "r"},
}


def _shape(route: Route) -> Any:
    """A body that the route may well take."""
    if route.action is not None:
        return {route.action: ACTIONS[route.action.removeprefix("os-")]}
    fitting = [end for end in SHAPES if route.path.endswith(end)]
    return SHAPES[max(fitting, key=len)]


def _variants(shape: Any) -> Iterator[Any]:
    """The shape with nonsense in the place of each of its parts."""
    yield from NONSENSE
    if isinstance(shape, dict):
        yield {**shape, "unknown": {"x": [None]}}
        for key, part in shape.items():
            yield {k: v for k, v in shape.items() if k != key}
            for nonsense in _variants(part):
                yield {**copy.copy(shape), key: nonsense}


def _id(route: Route) -> str:
    return f"{route.method} {route.path} {route.action or ''} 2.{route.min}"


def _send(client: Client, route: Route, values: dict[str, str], *bodies: Any, raw: bool) -> None:
    client = client.at(route.max if route.max is not None else 99)
    path = route.path.format_map(values)
    for body in bodies:
        sent: dict[str, Any] = {"raw": body} if raw else {"body": body}
        answer = client.call(route.method, path, headers={EXPERIMENTAL_HEADER: "true"}, **sent)
        assert answer.status_code < 500, (str(body)[:300], answer.text)


@pytest.mark.parametrize("route", BODIES, ids=_id)
def test_bodies(route: Route, world: World, caller: Client) -> None:
    values = _objects(world, caller)
    _send(caller, route, values, *RAW, raw=True)
    _send(caller, route, values, *_variants(_shape(route)), raw=False)


@pytest.mark.parametrize("route", [r for r in NEWEST if r.variables], ids=_id)
def test_paths(route: Route, world: World, caller: Client) -> None:
    values = _objects(world, caller)
    body = _shape(route) if route in BODIES else None
    for name, word in itertools.product(route.variables, PATH):
        _send(caller, route, {**values, name: word}, body, raw=False)


@pytest.mark.parametrize("route", LISTS, ids=_id)
def test_queries(route: Route, world: World, caller: Client) -> None:
    values = _objects(world, caller)
    path = route.path.format_map(values)
    needed = f"share_id={values['share_id']}&access_type=ip&"
    for key, word in itertools.product(QUERY, WORDS):
        prefix = needed if key.startswith("access_") else ""
        answer = caller.get(f"{path}?{prefix}{key}={word}")
        assert answer.status_code < 500, (key, word, answer.text)
