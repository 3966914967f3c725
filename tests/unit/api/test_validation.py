"""Bad input is answered with 400 or 422, never with 500."""

from typing import Any

import pytest

from tests.unit.api.client import Client, key_of

GOOD = {"share_proto": "NFS", "size": 1}
LONG = "x" * 256


def _bad(answer: Any, status: int = 400) -> None:
    assert answer.status_code == status, answer.text
    assert key_of(answer) == {400: "badRequest", 403: "forbidden", 422: "computeFault"}[status]


@pytest.mark.parametrize("body", [{"x": 1}, {"share": None}, {"share": "a"}, {"share": []}])
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_share_without_wrapper(member: Client, method: str, body: Any) -> None:
    path = "/shares" if method == "POST" else f"/shares/{member.share()['id']}"
    _bad(member.call(method, path, body), 422)


@pytest.mark.parametrize(
    "change",
    [
        {"size": None},
        {"size": 0},
        {"size": -1},
        {"size": 1.5},
        {"size": "1.5"},
        {"size": ""},
        {"size": "x"},
        {"size": True},
        {"size": []},
        {"size": 2**31},
        {"size": 10**30},
        {"size": "9" * 200},
        {"size": 1e300},
        {"share_proto": None},
        {"share_proto": ""},
        {"share_proto": 7},
        {"share_proto": {}},
        {"share_proto": "GOPHER"},
        {"name": LONG},
        {"display_name": LONG},
        {"name": 5},
        {"description": LONG},
        {"display_description": []},
        {"share_type": "default", "volume_type": "default"},
        {"share_type": 5},
        {"share_network_id": {}},
        {"snapshot_id": 5},
        {"availability_zone": []},
        {"metadata": []},
        {"metadata": "a"},
        {"metadata": {"": "v"}},
        {"metadata": {LONG: "v"}},
        {"metadata": {"k": ""}},
        {"metadata": {"k": None}},
        {"metadata": {"k": 5}},
        {"metadata": {"k": "v" * 1024}},
        {"is_public": "maybe"},
        {"is_public": []},
        {"is_public": 7},
        {"scheduler_hints": "x"},
        {"scheduler_hints": []},
        {"scheduler_hints": {"same_host": "nonsense"}},
        {"scheduler_hints": {"different_host": 5}},
        {"mount_point_name": 5},
    ],
)
def test_create(member: Client, change: dict[str, Any]) -> None:
    _bad(member.post("/shares", {"share": {**GOOD, **change}}))


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"name": "", "display_name": "b"}, "b"),
        ({"name": None, "display_name": "b"}, "b"),
        ({"name": "a", "display_name": "b"}, "a"),
        ({"name": "\u00e4\U0001f600"}, "\u00e4\U0001f600"),
        ({"name": r"C:\u0000"}, r"C:\u0000"),
        ({"name": "n" * 255}, "n" * 255),
    ],
)
def test_the_name(member: Client, change: dict[str, Any], name: str) -> None:
    made = member.post("/shares", {"share": {**GOOD, **change}})
    assert made.status_code == 200, made.text
    assert made.json["share"]["name"] == name


@pytest.mark.parametrize(
    "text",
    [rb"\u0000", rb"a\u0000b", b"\x00", rb"\ud800", rb"\udc00\ud800", b"\xed\xa0\x80", b"\xff"],
)
def test_text_that_no_database_holds(member: Client, text: bytes) -> None:
    bodies = (
        b'{"share": {"share_proto": "NFS", "size": 1, "name": "%s"}}',
        b'{"share": {"share_proto": "NFS", "size": 1, "metadata": {"k": "%s"}}}',
        b'{"share": {"share_proto": "NFS", "size": 1, "metadata": {"%s": "v"}}}',
        b'{"share": {"share_proto": "NFS", "size": 1, "unknown": [[{"a": "%s"}]]}}',
    )
    for body in bodies:
        _bad(member.post("/shares", raw=body.replace(b"%s", text)))


@pytest.mark.parametrize("id_of", [str.upper, lambda i: i.replace("-", "")])
def test_spellings_of_a_share_id_in_a_hint(member: Client, id_of: Any) -> None:
    near = id_of(member.share()["id"])
    share = {**GOOD, "scheduler_hints": {"same_host": near}}
    assert member.post("/shares", {"share": share}).status_code == 200
    for wrong in (f"{{{near}}}", f"urn:uuid:{near}", near[:-1], near + "0"):
        share["scheduler_hints"] = {"same_host": wrong}
        _bad(member.post("/shares", {"share": share}))


def test_create_without_a_required_key(member: Client) -> None:
    _bad(member.post("/shares", {"share": {"size": 1}}))
    _bad(member.post("/shares", {"share": {"share_proto": "NFS"}}))


@pytest.mark.parametrize(
    ("minor", "change"),
    [
        (64, {"scheduler_hints": "x"}),
        (83, {"mount_point_name": 5}),
        (99, {"frobnicate": 1}),
        (0, {"size": "1", "share_proto": "nfs", "volume_type": "default"}),
        (99, {"name": None, "metadata": None, "share_type": "", "snapshot_id": None}),
        (99, {"is_public": "no", "scheduler_hints": {"other": 1}}),
    ],
)
def test_create_takes(member: Client, minor: int, change: dict[str, Any]) -> None:
    answer = member.at(minor).post("/shares", {"share": {**GOOD, **change}})
    assert answer.status_code == 200, answer.text


def test_unknown_references(member: Client) -> None:
    for key in ("share_type", "snapshot_id", "availability_zone"):
        answer = member.post("/shares", {"share": {**GOOD, key: "nosuch"}})
        assert (answer.status_code, key_of(answer)) == (404, "itemNotFound"), key


@pytest.mark.parametrize(
    "change", [{"display_name": LONG}, {"display_description": 5}, {"is_public": "maybe"}]
)
def test_update(member: Client, change: dict[str, Any]) -> None:
    _bad(member.put(f"/shares/{member.share()['id']}", {"share": change}))


def test_update_ignores_other_keys(member: Client) -> None:
    share = member.share(name="a")
    changes = {"name": "b", "description": "c", "display_description": "d", "size": 5}
    found = member.put(f"/shares/{share['id']}", {"share": changes}).json["share"]
    assert (found["name"], found["description"], found["size"]) == ("a", "d", 1)


@pytest.mark.parametrize(
    "body",
    [
        {"extend": None},
        {"extend": 5},
        {"extend": {}},
        {"extend": {"new_size": "x"}},
        {"extend": {"new_size": None}},
        {"extend": {"new_size": 1}},
        {"extend": {"new_size": 10**20}},
        {"extend": {"new_size": 2, "force": "maybe"}},
        {"shrink": {}},
        {"shrink": {"new_size": 0}},
        {"shrink": {"new_size": -3}},
        {"shrink": {"new_size": 1}},
        {"allow_access": None},
        {"allow_access": {}},
        {"allow_access": {"access_type": "ip"}},
        {"allow_access": {"access_to": "10.0.0.1"}},
        {"allow_access": {"access_type": 5, "access_to": "10.0.0.1"}},
        {"allow_access": {"access_type": [], "access_to": "10.0.0.1"}},
        {"allow_access": {"access_type": "ip", "access_to": 5}},
        {"allow_access": {"access_type": "ip", "access_to": "10.0.0.1", "access_level": "x"}},
        {"allow_access": {"access_type": "ip", "access_to": "10.0.0.1", "metadata": {"k": 1}}},
        {"allow_access": {"access_type": "ip", "access_to": "10.0.0.1", "lock_deletion": "false"}},
        {"allow_access": {"access_type": "ip", "access_to": "10.0.0.1", "lock_reason": "why"}},
        {"allow_access": {"access_type": "ip", "access_to": "10.0.0.1", "lock_visibility": 1}},
        {
            "allow_access": {
                "access_type": "ip",
                "access_to": "10.0.0.1",
                "lock_deletion": True,
                "lock_reason": "x" * 1024,
            }
        },
        {"allow_access": {"access_type": "ip", "access_to": "10.0.0.1", "metadata": []}},
        {"deny_access": None},
        {"deny_access": {}},
        {"deny_access": {"access_id": None}},
        {"deny_access": {"access_id": 5}},
        {"deny_access": {"access_id": "x", "unrestrict": "maybe"}},
    ],
)
def test_actions(member: Client, body: dict[str, Any]) -> None:
    _bad(member.post(f"/shares/{member.share()['id']}/action", body))


@pytest.mark.parametrize(
    "body",
    [
        {"reset_status": None},
        {"reset_status": {}},
        {"reset_status": {"status": "frob"}},
        {"reset_status": {"status": 5}},
        {"reset_status": {"status": "inactive"}},
        {"force_delete": 5},
        {"force_delete": ""},
        {"force_delete": False},
        {"force_delete": []},
    ],
)
def test_admin_actions(member: Client, admin: Client, body: dict[str, Any]) -> None:
    _bad(admin.post(f"/shares/{member.share()['id']}/action", body))


@pytest.mark.parametrize(
    ("kind", "target", "minor"),
    [
        ("ip", "10.0.0.1", 0),
        ("ip", "10.0.0.0/24", 0),
        ("ip", "10.0.0.0/255.255.0.0", 0),
        ("ip", "fd00::1", 38),
        ("user", "alice", 0),
        ("user", "a$$$", 0),
        ("cert", "  common  ", 0),
        ("cephx", "some body", 13),
    ],
)
def test_targets(member: Client, kind: str, target: str, minor: int) -> None:
    action = "allow_access" if minor >= 7 else "os-allow_access"
    body = {action: {"access_type": kind, "access_to": target, "access_level": None}}
    answer = member.at(minor).post(f"/shares/{member.share()['id']}/action", body)
    assert answer.status_code == 200, answer.text
    assert answer.json["access"]["access_to"] == target.strip()
    assert answer.json["access"]["access_level"] == "rw"


@pytest.mark.parametrize(
    ("kind", "target", "minor"),
    [
        ("ip", "10.0.0.1/24", 99),
        ("ip", "10.0.0.256", 99),
        ("ip", "host.example", 99),
        ("ip", "", 99),
        ("ip", "10.0.0.1 ", 99),
        ("ip", "10.0.0.0/33", 99),
        ("ip", "fe80::1%eth0", 99),
        ("ip", "fd00::1", 37),
        ("ip", "1", 99),
        ("user", "bob", 99),
        ("user", "....", 99),
        ("user", "DOM\\user", 99),
        ("user", "a" * 256, 99),
        ("user", "ali\nce", 99),
        ("cert", "   ", 99),
        ("cert", "c" * 65, 99),
        ("cephx", "a.b", 99),
        ("cephx", "müller", 99),
        ("cephx", "alice", 12),
        ("frob", "alice", 99),
    ],
)
def test_bad_targets(member: Client, kind: str, target: str, minor: int) -> None:
    body = {"allow_access": {"access_type": kind, "access_to": target}}
    _bad(member.at(minor).post(f"/shares/{member.share()['id']}/action", body))


@pytest.mark.parametrize("path", ["/shares", "/shares/detail"])
@pytest.mark.parametrize(
    "query",
    [
        "limit=-1",
        "limit=x",
        "limit=",
        "offset=-1",
        "offset=x",
        "limit=99999999999999999999",
        "sort_key=zz",
        "sort_key=",
        "sort_key=share_type",
        "sort_key=availability_zone",
        "sort_key=description",
        "sort_dir=zz",
        "is_public=zz",
        "is_soft_deleted=zz",
        "with_count=zz",
        "all_tenants=zz",
        "metadata=zz",
        "metadata=%7B",
        "metadata=%5B1%5D",
        "metadata={'a':'%5Cx00'}",
        "metadata={'a':'%5Cud800'}",
        'metadata={"a":"%5Cud800"}',
        "metadata={'a':0x" + "f" * 15000 + "}",
        "metadata={'a':{'b':'c'}}",
        "metadata={" + ",".join(f"'k{i}':'v'" for i in range(101)) + "}",
        "marker=zz",
        "metadata=" + "(" * 5000,
    ],
)
def test_list_queries(member: Client, path: str, query: str) -> None:
    _bad(member.get(f"{path}?{query}"))


@pytest.mark.parametrize("query", ["host=x", "share_server_id=x", "extra_specs={'a':'b'}",
                                   "extra_specs=zz", "status=deferred_deleting"])  # fmt: skip
def test_filters_for_administrators(member: Client, admin: Client, query: str) -> None:
    _bad(member.get(f"/shares?{query}"), 403)
    assert admin.get(f"/shares?{query}").status_code == (400 if "zz" in query else 200)


@pytest.mark.parametrize(
    "query",
    ["", "share_id=nosuch", "share_id=%s&metadata=zz", "share_id=%s&access_type=zz",
     "share_id=%s&access_to=10.0.0.1", "share_id=%s&access_type=ip&access_to=zz",
     "share_id=%s&access_level=zz"],
)  # fmt: skip
def test_rule_list_queries(member: Client, query: str) -> None:
    if "%s" in query:
        query %= member.share()["id"]
    _bad(member.get(f"/share-access-rules?{query}"))


@pytest.mark.parametrize(
    "body", [{"update_access": None}, {"update_access": {}}, {"x": 1},
             {"update_access": {"access_level": "x"}}, {"update_access": {"access_level": []}}]
)  # fmt: skip
def test_rule_level(member: Client, body: dict[str, Any]) -> None:
    rule = member.rule(member.share()["id"])
    _bad(member.put(f"/share-access-rules/{rule['id']}", body))


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("pairs", [None, [], "x", {"": "v"}, {"k": None}, {"k": ""}, {"k": {}}])
def test_metadata(member: Client, method: str, pairs: Any) -> None:
    share_id = member.share()["id"]
    (location,) = member.get(f"/shares/{share_id}/export_locations").json["export_locations"]
    for path in (f"/shares/{share_id}", f"/shares/{share_id}/export_locations/{location['id']}"):
        _bad(member.call(method, f"{path}/metadata", {"metadata": pairs}))
        _bad(member.call(method, f"{path}/metadata", {"frob": {}}))
    _bad(member.put(f"{path}/metadata", {"metadata": {"k/k": "v"}}))


@pytest.mark.parametrize("pairs", [{}, {"other": "v"}, {"k": "v", "other": "v"}])
def test_metadata_set_one(member: Client, pairs: dict[str, str]) -> None:
    _bad(member.post(f"/shares/{member.share()['id']}/metadata/k", {"metadata": pairs}))
