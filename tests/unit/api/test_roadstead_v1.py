"""What Manila has no word for, over HTTP: below /roadstead/v1."""

import pytest

from roadstead.drivers.export.memory import MemoryExport
from roadstead.model.errors import Transient
from roadstead.model.world import ExportRef
from tests.unit.api.client import VERSION, Client, key_of

V1 = "/roadstead/v1"


def _get(client: Client, path: str, **more):
    return client.call("GET", path, prefix=V1, **more)


def _post(client: Client, path: str):
    return client.call("POST", path, prefix=V1)


@pytest.fixture
def share(member: Client):
    return member.share(name="mine")


# --- the frame ------------------------------------------------------------------------------------


def test_there_are_no_microversions(member: Client, share):
    for version in (None, "2.0", "9.9", "nonsense"):
        answer = _get(member, f"/shares/{share['id']}/explain", headers={VERSION: version})
        assert answer.status_code == 200
        assert VERSION not in answer.headers


def test_requests_have_an_id_and_errors_an_envelope(member: Client):
    answer = _get(member, "/operations/nope")
    assert (answer.status_code, key_of(answer)) == (404, "itemNotFound")
    assert answer.headers["x-openstack-request-id"].startswith("req-")
    for path in ("/nope", "", "/", "/shares", "/operations/a/b"):
        answer = _get(member, path)
        assert (answer.status_code, answer.json["code"]) == (404, "404 Not Found")


def test_an_identity_is_needed(member: Client):
    assert _get(member, "/operations", headers={"X-Test-Project": None}).status_code == 401


def test_a_project_in_the_path_is_no_part_of_it(member: Client):
    assert _get(member, f"/{member.project}/operations").status_code == 404


# --- operations -----------------------------------------------------------------------------------


def test_operations_tell_what_a_stuck_share_waits_for(member: Client, world):
    world.pool.fail["ensure_share"] = Transient("the disk is away")
    made = member.post("/shares", {"share": {"share_proto": "NFS", "size": 1}}).json["share"]
    (found,) = _get(member, f"/operations?share_id={made['id']}").json["operations"]
    assert (found["verb"], found["state"]) == ("share.create", "todo")
    assert (found["attempts"], found["error"]) == (1, "the disk is away")
    assert (found["steps_done"], found["resource_type"]) == ([], "share")
    assert found["steps"] == [{"name": "pool", "done": False}, {"name": "export", "done": False}]
    assert found["not_before"] > found["created_at"]
    assert found["request_id"].startswith("req-")
    assert _get(member, f"/operations/{found['id']}").json == {"operation": found}


def test_an_operation_tells_its_steps(member: Client, world, share):
    world.export.fail["ensure_export"] = Transient("the server is away")
    made = member.post("/shares", {"share": {"share_proto": "NFS", "size": 1}}).json["share"]
    (stuck,) = _get(member, f"/operations?share_id={made['id']}").json["operations"]
    assert stuck["steps"] == [{"name": "pool", "done": True}, {"name": "export", "done": False}]
    (ended,) = _get(member, f"/operations?share_id={share['id']}").json["operations"]
    assert ended["steps"] == [{"name": "pool", "done": True}, {"name": "export", "done": True}]


def test_the_steps_of_a_verb_that_is_no_more_are_those_of_the_journal(member, world, share):
    from roadstead.store import operations

    (found,) = _get(member, "/operations").json["operations"]
    with world.db.write() as tx:
        operations.update(tx, found["id"], verb="share.paint", steps_done=["brush"])
    shown = _get(member, f"/operations/{found['id']}").json["operation"]
    assert shown["steps"] == [{"name": "brush", "done": True}]


def test_operations_filter(member: Client, share):
    member.rule(share["id"])
    other = member.share()

    def ids(query: str) -> list[str]:
        found = _get(member, f"/operations?{query}").json["operations"]
        return [f"{o['verb']} {o['share_id'] == share['id']}" for o in found]

    assert ids("") == ["share.create False", "access.apply True", "share.create True"]
    assert ids(f"share_id={share['id']}") == ["access.apply True", "share.create True"]
    assert ids(f"share_id={other['id']}") == ["share.create False"]
    assert ids("verb=access.apply") == ["access.apply True"]
    assert ids(f"resource_id={other['id']}") == []  # it is the instance that is worked on
    instance = _get(member, "/operations?limit=1").json["operations"][0]["resource_id"]
    assert ids(f"resource_id={instance}") == ["share.create False"]
    assert ids("state=failed") == []
    assert ids("limit=1") == ["share.create False"]
    assert ids("limit=0") == []
    assert key_of(_get(member, "/operations?limit=many")) == "badRequest"


def test_only_administrators_see_other_projects_and_hosts(
    member: Client, foreigner: Client, admin: Client, share
):
    (mine,) = _get(member, "/operations?all_projects=1").json["operations"]
    assert "host" not in mine
    assert _get(foreigner, "/operations?all_projects=1").json == {"operations": []}
    assert _get(admin, "/operations").json == {"operations": []}
    (seen,) = _get(admin, "/operations?all_projects=1").json["operations"]
    assert seen == {**mine, "host": "node1"}


# --- drift ----------------------------------------------------------------------------------------


def test_drift_is_told_to_administrators(member: Client, admin: Client, world, share):
    (mark,) = world.export.inventory(world.backend.place)
    ref = ExportRef(
        instance_id=mark.id, export_id=mark.facts["export_id"], place=world.backend.place
    )
    world.export.ensure_export_absent(ref)
    world.sweep.run()
    (found,) = _get(admin, "/drift").json["drift"]
    assert (found["kind"], found["resource_type"]) == ("missing", "export")
    assert (found["resource_id"], found["action"]) == (mark.id, "exported again")
    assert found["repaired_at"]
    assert key_of(_get(member, "/drift")) == "forbidden"


# --- explain --------------------------------------------------------------------------------------


def test_explain_names_the_rule(member: Client, share):
    """D-I8, D-M1."""
    rule = member.rule(share["id"], "192.0.2.0/24", access_level="ro")
    member.rule(share["id"], "192.0.0.0/8")
    found = _get(member, f"/shares/{share['id']}/explain?client=192.0.2.7").json["explanation"]
    assert (found["verdict"], found["level"]) == ("admitted", "ro")
    assert found["rule"]["id"] == rule["id"]
    assert (found["road"], found["isolation"]) == ("direct", "acl")
    assert found["addresses"] == ["192.0.2.1"]
    assert found["paths"][0].startswith("192.0.2.1:/share-")
    assert found["size_gib"] == 1
    assert found["quota"]["gigabytes"] == {"limit": 1000, "in_use": 1, "reserved": 0}
    assert [hop["name"] for hop in found["hops"]] == [
        "client", "network", "rule", "export", "pool", "probe",
    ]  # fmt: skip
    refused = _get(member, f"/shares/{share['id']}/explain?client=10.0.0.1").json["explanation"]
    assert (refused["verdict"], refused["rule"], refused["level"]) == ("refused", None, None)


def test_the_backend_is_for_administrators(member: Client, admin: Client, share):
    path = f"/shares/{share['id']}/explain"
    assert "backend" not in _get(member, path).json["explanation"]
    assert _get(admin, path).json["explanation"]["backend"] == "node1@local#memory"


@pytest.mark.parametrize("client", ["vm1", "10.0.0.0/8", "10.0.0.300", "%00"])
def test_a_client_is_an_address(member: Client, share, client: str):
    answer = _get(member, f"/shares/{share['id']}/explain?client={client}")
    assert key_of(answer) == "badRequest"


def test_a_share_without_a_backend_is_explained_too(member: Client):
    made = member.post("/shares", {"share": {"share_proto": "CIFS", "size": 1}}).json["share"]
    path = f"/shares/{made['id']}"
    found = _get(member, f"{path}/explain?client=10.0.0.1").json["explanation"]
    assert (found["status"], found["paths"], found["verdict"]) == ("error", [], "refused")
    assert key_of(_post(member, f"{path}/probe")) == "badRequest"


# --- probe ----------------------------------------------------------------------------------------


def test_a_probe_is_an_operation_with_evidence(member: Client, share):
    """D-I5, D-I8."""
    path = f"/shares/{share['id']}/probe"
    assert key_of(_get(member, path)) == "itemNotFound"
    started = _post(member, path)
    assert started.status_code == 202
    operation_id = started.json["probe"]["operation_id"]
    found = _get(member, path).json["probe"]
    assert (found["operation_id"], found["verdict"]) == (operation_id, "good")
    assert [(a["expected"], a["outcome"]) for a in found["attempts"]] == [
        ("refused", "refused"),
        ("admitted", "admitted"),
    ]
    done = _get(member, f"/operations/{operation_id}").json["operation"]
    assert (done["verb"], done["state"], done["steps_done"]) == ("share.probe", "done", ["probe"])
    explained = _get(member, f"/shares/{share['id']}/explain").json["explanation"]
    assert explained["last_probe"] == found


def test_only_the_last_probe_is_kept(member: Client, share, world):
    path = f"/shares/{share['id']}/probe"
    _post(member, path)
    assert isinstance(world.backend.export, MemoryExport)
    world.export.fail["inventory"] = Transient("gone")
    second = _post(member, path).json["probe"]["operation_id"]
    found = _get(member, path).json["probe"]
    assert (found["operation_id"], found["verdict"]) == (second, "broken")
    assert found["attempts"] == []
    assert "gone" in found["problem"]


def test_a_second_probe_waits_its_turn(member: Client, share, world):
    world.engine.stop()
    path = f"/shares/{share['id']}/probe"
    assert _post(member, path).status_code == 202
    assert key_of(_post(member, path)) == "conflictingRequest"


def test_readers_may_look_but_not_probe(member: Client, reader: Client, share):
    path = f"/shares/{share['id']}"
    assert key_of(_post(reader, f"{path}/probe")) == "forbidden"
    _post(member, f"{path}/probe")
    assert _get(reader, f"{path}/probe").status_code == 200
    assert _get(reader, f"{path}/explain").status_code == 200
