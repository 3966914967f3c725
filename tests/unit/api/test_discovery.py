"""What is answered without a token."""

import datetime
from typing import Any

import falcon.testing
import pytest

from roadstead.api.app import make_app
from tests.factories import World
from tests.unit.api.client import VERSION, HeaderAuth


@pytest.mark.parametrize(("path", "status"), [("/", 300), ("/v2", 200), ("/v2/", 200)])
def test_versions(app: Any, path: str, status: int) -> None:
    answer = falcon.testing.TestClient(app).simulate_get(path, host="cloud.test")
    assert answer.status_code == status
    (entry,) = answer.json["versions"]
    assert entry["id"] == "v2.0"
    assert (entry["status"], entry["min_version"], entry["version"]) == ("CURRENT", "2.0", "2.99")
    assert datetime.datetime.fromisoformat(entry["updated"]).tzinfo is not None
    assert {"rel": "self", "href": "http://cloud.test/v2/"} in entry["links"]
    assert (VERSION in answer.headers) == (path != "/")


def test_public_url(world: World) -> None:
    app = make_app(world.service, auth=HeaderAuth(), public_url="https://shares.example/x/")
    answer = falcon.testing.TestClient(app).simulate_get("/v2/")
    assert answer.json["versions"][0]["links"][1]["href"] == "https://shares.example/x/v2/"


def test_health(app: Any) -> None:
    answer = falcon.testing.TestClient(app).simulate_get("/healthcheck")
    assert (answer.status_code, answer.json) == (200, {"detailed": False, "reasons": ["OK"]})


@pytest.mark.parametrize("path", ["/", "/v2", "/v2/", "/healthcheck"])
def test_only_get(app: Any, path: str) -> None:
    assert falcon.testing.TestClient(app).simulate_post(path).status_code == 404


@pytest.mark.parametrize("path", ["/v2/shares", "/v2/nosuch"])
def test_the_rest_needs_an_identity(app: Any, path: str) -> None:
    answer = falcon.testing.TestClient(app).simulate_get(path)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "text/plain"
    assert answer.headers["WWW-Authenticate"] == "Test"
    assert "x-openstack-request-id" in answer.headers
