"""Microversions, request ids and what is no route."""

from typing import Any

import falcon.testing
import pytest

from roadstead.api import versions
from roadstead.api.app import MAX_BODY
from tests.unit.api.client import OWNER, VERSION, Client, key_of


def test_no_header_means_the_base(member: Client) -> None:
    answer = member.get("/shares", headers={VERSION: None})
    assert answer.status_code == 200
    assert answer.headers[VERSION] == "2.0"
    assert answer.headers["Vary"] == VERSION


@pytest.mark.parametrize("text", ["2", "2.0.1", "2.05", "latest", "abc", "", "2.", "\u0662.\u0661"])
def test_bad_grammar(member: Client, text: str) -> None:
    header = text.encode().decode("latin-1")
    answer = member.get("/shares", headers={VERSION: header})
    assert (answer.status_code, key_of(answer)) == (400, "badRequest")
    assert VERSION not in answer.headers
    assert "Vary" not in answer.headers


@pytest.mark.parametrize("text", ["2.100", "3.0", "1.0", "2.99999999999999999999"])
def test_outside_the_range(member: Client, text: str) -> None:
    answer = member.get("/shares", headers={VERSION: text})
    assert (answer.status_code, key_of(answer)) == (406, "computeFault")
    assert "2.0" in answer.json["computeFault"]["message"]
    assert "2.99" in answer.json["computeFault"]["message"]
    assert (answer.headers[VERSION], answer.headers["Vary"]) == (text, VERSION)


def test_common_header(member: Client) -> None:
    headers = {VERSION: None, "OpenStack-API-Version": "compute 2.1, shared-file-system 2.60"}
    assert member.get("/shares", headers=headers).headers[VERSION] == "2.60"
    headers[VERSION] = "2.7"
    assert member.get("/shares", headers=headers).headers[VERSION] == "2.7"


@pytest.mark.parametrize("word", ["1", "T", "true", "ON", "y", "Yes"])
def test_experimental_is_echoed(member: Client, word: str) -> None:
    answer = member.get("/shares", headers={versions.EXPERIMENTAL_HEADER: word})
    assert answer.headers[versions.EXPERIMENTAL_HEADER] == "True"


def test_not_experimental_is_not_echoed(member: Client) -> None:
    answer = member.get("/shares", headers={versions.EXPERIMENTAL_HEADER: "false"})
    assert versions.EXPERIMENTAL_HEADER not in answer.headers


@pytest.mark.parametrize("path", ["/shares", "/shares/nosuch", "/nosuch"])
def test_request_ids(member: Client, path: str) -> None:
    headers = member.get(path).headers
    assert headers["x-openstack-request-id"].startswith("req-")
    assert headers["x-openstack-request-id"] == headers["x-compute-request-id"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nosuch"),
        ("GET", "/shares/"),
        ("GET", f"/{OWNER}"),
        ("HEAD", "/shares"),
        ("PATCH", "/shares"),
        ("OPTIONS", "/shares"),
        ("TRACE", "/shares"),
        ("PUT", "/shares/x/metadata/k"),
        ("DELETE", "/shares"),
    ],
)
def test_unrouted(member: Client, method: str, path: str) -> None:
    answer = member.call(method, path)
    assert answer.status_code == 404
    assert VERSION not in answer.headers
    if method != "HEAD":
        assert set(answer.json) == {"message", "code", "title"}
        assert answer.json["code"] == "404 Not Found"


def test_outside_the_api(app: Any) -> None:
    answer = falcon.testing.TestClient(app).simulate_get("/v1/shares")
    assert (answer.status_code, answer.json["title"]) == (404, "Not Found")


def test_route_of_another_version(member: Client, admin: Client) -> None:
    share = member.share()
    assert member.at(8).get(f"/shares/{share['id']}/export_locations").status_code == 404
    assert key_of(member.at(8).get(f"/shares/{share['id']}/export_locations")) == "itemNotFound"
    assert admin.at(2).get("/share_instances").status_code == 404
    action = f"/shares/{share['id']}/action"
    assert key_of(member.at(45).post(action, {"access_list": None})) == "itemNotFound"
    assert member.at(44).post(action, {"access_list": None}).status_code == 200
    assert key_of(member.at(7).post(action, {"os-access_list": None})) == "itemNotFound"
    assert member.at(6).post(action, {"os-access_list": None}).status_code == 200
    assert key_of(member.at(6).post(action, {"access_list": None})) == "itemNotFound"


@pytest.mark.parametrize("body", [{"frob": None}, {}, {"extend": {}, "shrink": {}}, [], None, 3])
def test_bad_actions(member: Client, body: Any) -> None:
    answer = member.post(f"/shares/{member.share()['id']}/action", body)
    assert (answer.status_code, key_of(answer)) == (400, "badRequest")


def test_project_in_the_url(member: Client, admin: Client) -> None:
    share = member.share()
    shown = member.get(f"/{OWNER}/shares/{share['id']}").json["share"]
    assert shown["links"] == [
        {"rel": "self", "href": f"http://cloud.test/v2/{OWNER}/shares/{share['id']}"},
        {"rel": "bookmark", "href": f"http://cloud.test/{OWNER}/shares/{share['id']}"},
    ]
    assert share["links"][0]["href"] == f"http://cloud.test/v2/shares/{share['id']}"
    assert key_of(member.get("/dddd/shares")) == "badRequest"
    assert key_of(admin.get(f"/{OWNER}/shares")) == "badRequest"


def test_json_suffix(member: Client) -> None:
    share = member.share(metadata={"a": "1", "a.json": "2"})
    assert member.get("/shares/detail.json").json["shares"][0]["id"] == share["id"]
    assert member.get(f"/shares/{share['id']}.json").status_code == 200
    assert member.get(f"/shares/{share['id']}/metadata/a.json").json == {"meta": {"a.json": "2"}}


def test_body_limit(member: Client) -> None:
    """X-12"""
    answer = member.post("/shares", raw=b" " * (MAX_BODY + 1))
    assert answer.status_code == 413
    assert set(answer.json) == {"message", "code", "title"}
    assert member.post("/shares", raw=b" " * MAX_BODY).status_code == 400


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"nonsense", b"\xff", b"[" * 50_000, b'{"share": "\\u0000"}', b"3", b'{"a":1e999}'],
)
def test_bad_json(member: Client, raw: bytes) -> None:
    answer = member.post("/shares", raw=raw)
    assert (answer.status_code, key_of(answer)) == (400, "badRequest")


def test_other_content_type_is_no_body(member: Client) -> None:
    raw = b'{"share": {"share_proto": "NFS", "size": 1}}'
    answer = member.post("/shares", raw=raw, headers={"Content-Type": "text/plain"})
    assert (answer.status_code, key_of(answer)) == (400, "badRequest")
    with_charset = {"Content-Type": "application/json; charset=utf-8"}
    assert member.post("/shares", raw=raw, headers=with_charset).status_code == 200


@pytest.mark.parametrize(("header", "value"), [("CONTENT_LENGTH", "x"), ("CONTENT_LENGTH", "-1")])
def test_malformed_headers(app: Any, header: str, value: str) -> None:
    environ = falcon.testing.create_environ("/v2/shares", headers={"X-Test-Project": OWNER})
    seen: list[str] = []
    list(app({**environ, header: value}, lambda status, *_rest: seen.append(status)))
    assert seen[0].startswith("400")


@pytest.mark.parametrize("query", ["name=%00", "%00=1", "&".join(f"a{i}=1" for i in range(1001))])
def test_bad_queries(member: Client, query: str) -> None:
    assert key_of(member.get(f"/shares?{query}")) == "badRequest"


def test_nul_in_the_path(member: Client) -> None:
    assert member.get("/shares/%00").status_code == 404


def test_accidents_are_hidden(app: Any, member: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_args: object, **_more: object) -> None:
        raise RuntimeError("the secret")

    monkeypatch.setattr("roadstead.service.shares.get", explode)
    answer = member.get("/shares/x")
    assert (answer.status_code, key_of(answer)) == (500, "computeFault")
    assert "secret" not in answer.text
    assert answer.headers["x-openstack-request-id"].startswith("req-")
