"""Generated from the route table: what a member of another project gets from every route."""

from typing import Any

import pytest

from roadstead.api.policies import RULES
from roadstead.api.route import V2, Route
from roadstead.api.routes import ROUTES as ROUTES_V2
from roadstead.api.routes_v1 import ROUTES_V1
from roadstead.api.versions import EXPERIMENTAL_HEADER
from roadstead.model.attachments import Attachment, Vm
from roadstead.model.ids import new_id
from roadstead.store import attachments, share_networks, share_servers, vms
from roadstead.store.db import utcnow
from roadstead.store.scope import everyone
from tests.factories import World
from tests.unit.api.client import OWNER, Client, key_of

pytestmark = pytest.mark.isolation

ROUTES = [*ROUTES_V2, *ROUTES_V1]
# A valid body by the last literal parts of the path, or by action: validation must not be what
# refuses the stranger.
BODIES: dict[str, Any] = {
    "extend": {"new_size": 2},
    "shrink": {"new_size": 1},
    "reset_status": {"status": "available"},
    "reset_task_state": {"task_state": None},
    "force_delete": None,
    "allow_access": {"access_type": "ip", "access_to": "10.9.9.9"},
    "access_list": None,
    "add_security_service": {"security_service_id": "{security_service_id}"},
    "add_security_service_check": {"security_service_id": "{security_service_id}"},
    "remove_security_service": {"security_service_id": "{security_service_id}"},
    "update_security_service": {
        "current_service_id": "{security_service_id}",
        "new_service_id": "{security_service_id}",
    },
    "update_security_service_check": {
        "current_service_id": "{security_service_id}",
        "new_service_id": "{security_service_id}",
    },
    "share_network_subnet_create_check": {},
    "unmanage": None,
}
NETWORK_BODIES: dict[str, Any] = {
    "/share-networks": {"share_network": {"name": "stolen"}},
    "/share-networks/{share_network_id}": {"share_network": {"name": "stolen"}},
    "/share-networks/{share_network_id}/subnets": {"share-network-subnet": {}},
    "/security-services": {"security_service": {"type": "ldap", "name": "stolen"}},
    "/security-services/{security_service_id}": {"security_service": {"name": "stolen"}},
}
# Variables of a path that name something of one project.
OWNED = {
    "share_id",
    "access_id",
    "instance_id",
    "location_id",
    "message_id",
    "operation_id",
    "attachment_id",
    "share_network_id",
    "subnet_id",
    "security_service_id",
}
ADMIN_RULES = {name for name, rule in RULES.items() if rule == "rule:admin"}


def _id(route: Route) -> str:
    version = f"2.{route.min}" if route.prefix == V2 else "v1"
    return f"{route.method} {route.path} {route.action or ''} {version}".replace("  ", " ")


def _body(route: Route, values: dict[str, str]) -> Any:
    if route.action is not None:
        name = route.action.removeprefix("os-")
        if name == "deny_access":
            return {route.action: {"access_id": values["access_id"]}}
        fields = BODIES.get(name, {"project": new_id()})
        if "security_service" in name:
            fields = {key: text.format_map(values) for key, text in fields.items()}
        return {route.action: fields}
    if route.path.endswith("/metadata/{key}"):
        return {"metadata": {values["key"]: "v"}}
    if route.path.endswith("/metadata"):
        return {"metadata": {"stolen": "v"}}
    if route.path == "/share-access-rules/{access_id}":
        return {"update_access": {"access_level": "ro"}}
    if route.path == "/shares/{share_id}":
        return {"share": {"display_name": "stolen"}}
    if route.path in NETWORK_BODIES:
        return NETWORK_BODIES[route.path]
    if route.path == "/attachments":
        return {"attachment": {"share_id": values["share_id"], "vm": values["vm"]}}
    if route.path == "/shares/{share_id}/users":
        return {"user": {"name": "mallory", "password": "a stolen share"}}
    return {} if route.body else None


def _attached(member: Client, world: World) -> dict[str, str]:
    """A VM of the owner's that has another of its shares."""
    share, vm = member.share(name="attached"), new_id()
    now = utcnow()
    with world.db.write() as tx:
        vms.report(
            tx,
            "node1",
            {"drivers": ["virtiofs", "9p"]},
            [Vm(id=vm, host="node1", name="web", project_id=OWNER, running=False, updated_at=now)],
        )
        attachment = Attachment(
            id=new_id(),
            project_id=OWNER,
            user_id="somebody",
            share_id=share["id"],
            vm_id=vm,
            vm_name="web",
            host="node1",
            tag=share["id"],
            access_level="rw",
            driver="virtiofs",
            state="inactive",
            created_at=now,
        )
        attachments.insert(tx, attachment)
    return {"attachment_id": attachment.id, "vm": vm}


def _network(member: Client, world: World) -> dict[str, str]:
    """A share network of the owner's with a security service and a share server."""
    made = member.post("/share-networks", {"share_network": {"name": "private"}})
    network = made.json["share_network"]
    wanted = {"type": "kerberos", "name": "private", "password": "private"}
    made = member.post("/security-services", {"security_service": wanted})
    service_id = made.json["security_service"]["id"]
    member.post(
        f"/share-networks/{network['id']}/action",
        {"add_security_service": {"security_service_id": service_id}},
    )
    (subnet,) = network["share_network_subnets"]
    member.post(
        f"/share-networks/{network['id']}/subnets/{subnet['id']}/metadata", {"metadata": {"k": "v"}}
    )
    with world.db.write() as tx:
        found = share_networks.get(tx, everyone(), network["id"])
        assert found
        wanted_server = share_servers.Wanted(host="node1@local", subnet_ids=(subnet["id"],))
        server, _ = share_servers.ensure_row(tx, found, wanted_server)
    return {
        "share_network_id": network["id"],
        "subnet_id": subnet["id"],
        "security_service_id": service_id,
        "share_server_id": server.id,
    }


@pytest.fixture
def values(member: Client, admin: Client, world: World) -> dict[str, str]:
    """Something of the owner's for every variable."""
    share = member.share(name="private", metadata={"k": "v"})
    share_id = share["id"]
    rule = member.rule(share_id, metadata={"k": "v"})
    (location,) = member.get(f"/shares/{share_id}/export_locations").json["export_locations"]
    member.post(f"/shares/{share_id}/export_locations/{location['id']}/metadata",
                {"metadata": {"k": "v"}})  # fmt: skip
    (instance,) = admin.get(f"/shares/{share_id}/instances").json["share_instances"]
    # Nothing can hold it: a message says so.
    failed = member.post("/shares", {"share": {"share_proto": "CIFS", "size": 1}})
    assert failed.status_code == 200
    found = member.get("/messages").json["messages"]
    query = f"/operations?share_id={share_id}"
    ran = member.call("GET", query, prefix="/roadstead/v1").json["operations"]
    return {
        "share_id": share_id,
        "access_id": rule["id"],
        "location_id": location["id"],
        "instance_id": instance["id"],
        "message_id": found[0]["id"],
        "operation_id": ran[0]["id"],
        **_attached(member, world),
        **_network(member, world),
        "type_id": share["share_type"],
        "project_id": OWNER,
        "class_name": "default",
        "verb": "enable",
        "network": "tenants",
        "label": "blue",
        "address": "10.0.0.0",
        "prefix": "24",
        "key": "k",
    }


def _call(client: Client, route: Route, values: dict[str, str]) -> Any:
    path = route.path.format_map(values)
    body = _body(route, values)
    minor = route.max if route.max is not None else 99
    answer = client.at(minor).call(
        route.method, path, body, prefix=route.prefix, headers={EXPERIMENTAL_HEADER: "true"}
    )
    assert answer.status_code != 500, answer.text
    return answer


@pytest.mark.parametrize("route", ROUTES, ids=_id)
def test_foreign_project(
    route: Route, values: dict[str, str], foreigner: Client, member: Client, admin: Client
) -> None:
    before = _snapshot(member, admin, values)
    answer = _call(foreigner, route, values)
    if route.policy in ADMIN_RULES:
        assert (answer.status_code, key_of(answer)) == (403, "forbidden")
    elif OWNED & set(route.variables) or _id(route) == "POST /attachments v1":
        assert (answer.status_code, key_of(answer)) == (404, "itemNotFound"), answer.text
        assert "private" not in answer.text
    else:
        for name in OWNED:
            assert values[name] not in answer.text
    assert _snapshot(member, admin, values) == before


@pytest.mark.parametrize(
    "route", [r for r in ROUTES if r.path.startswith("/shares/{share_id}")], ids=_id
)
def test_public_share_of_another_project(
    route: Route,
    values: dict[str, str],
    foreigner: Client,
    member: Client,
    owner_admin: Client,
    admin: Client,
) -> None:
    owner_admin.put(f"/shares/{values['share_id']}", {"share": {"is_public": True}})
    before = _snapshot(member, admin, values)
    answer = _call(foreigner, route, values)
    reads = route.method == "GET" or (route.action or "").endswith("access_list")
    # Who gets there and how is the owner's business, as its rules are.
    reads = reads and route.prefix == V2
    if reads and route.policy not in ADMIN_RULES:
        assert answer.status_code == 200
        assert values["access_id"] not in answer.text
    else:
        assert (answer.status_code, key_of(answer)) == (403, "forbidden")
    assert _snapshot(member, admin, values) == before


@pytest.mark.parametrize("route", ROUTES, ids=_id)
def test_no_role_at_all(route: Route, values: dict[str, str], app: Any) -> None:
    for roles in ("", "service", "other"):
        answer = _call(Client(app, OWNER, roles), route, values)
        if route.policy is None:
            assert answer.status_code == 200
        else:
            assert (answer.status_code, key_of(answer)) == (403, "forbidden")


def _snapshot(member: Client, admin: Client, values: dict[str, str]) -> list[Any]:
    """Everything a stranger could have changed."""
    share = f"/shares/{values['share_id']}"
    return [
        client.get(path).json
        for client, path in (
            (member, "/shares/detail"),
            (member, f"/share-access-rules?share_id={values['share_id']}"),
            (member, f"{share}/export_locations"),
            (member, "/messages"),
            (member, "/share-networks/detail"),
            (member, "/security-services/detail"),
            (admin, "/share-servers"),
            (admin, "/share_instances"),
            (admin, f"/quota-sets/{OWNER}"),
        )
    ]
