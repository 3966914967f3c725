"""The three ways to prove an identity."""

import base64
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import bcrypt
import falcon.testing
import pytest

from roadstead.api.app import make_app
from roadstead.api.auth import AuthUnavailable, Identity, NoAuth, NoIdentity
from roadstead.api.auth_basic import BasicAuth, parse_users
from roadstead.api.auth_keystone import KeystoneAuth
from roadstead.model.errors import ConfigError
from tests.factories import World

PROJECT = "aaaaaaaa11111111aaaaaaaa11111111"


def _hash(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


def _basic(name: str, password: str) -> dict[str, str]:
    return {
        "HTTP_AUTHORIZATION": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()
    }


@pytest.fixture
def users(tmp_path: Path) -> Path:
    path = tmp_path / "users"
    path.write_text(f"# people\n\nann:{_hash('s:cret')}:{PROJECT}:member, reader\n")
    return path


def test_none(world: World) -> None:
    assert NoAuth().identify({}, None).project_id == "roadstead"
    client = falcon.testing.TestClient(make_app(world.service, auth=NoAuth()))
    for project in ("roadstead", PROJECT):
        assert client.simulate_get(f"/v2/{project}/shares").status_code == 200
    assert client.simulate_get("/v2/shares").status_code == 200


def test_basic(users: Path) -> None:
    found = BasicAuth(users).identify(_basic("ann", "s:cret"), None)
    assert found == Identity(user_id="ann", project_id=PROJECT, roles=("member", "reader"))


@pytest.mark.parametrize(
    "environ",
    [
        {},
        _basic("ann", "wrong"),
        _basic("ann", ""),
        _basic("ann", "s:cret" + "x" * 100),
        _basic("ann", "\0"),
        _basic("bob", "s:cret"),
        _basic("", ""),
        {"HTTP_AUTHORIZATION": "Basic"},
        {"HTTP_AUTHORIZATION": "Basic !!!"},
        {"HTTP_AUTHORIZATION": "Basic /w=="},
        {"HTTP_AUTHORIZATION": "Bearer abc"},
        {"HTTP_AUTHORIZATION": "Basic " + base64.b64encode(b"\xff:\xff").decode()},
    ],
)
def test_basic_refuses(users: Path, environ: dict[str, str]) -> None:
    with pytest.raises(NoIdentity) as refusal:
        BasicAuth(users).identify(environ, PROJECT)
    assert refusal.value.headers["WWW-Authenticate"].startswith('Basic realm="')


def test_basic_pays_for_bcrypt_once(users: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    auth, checks, real = BasicAuth(users), [0], bcrypt.checkpw

    def counted(password: bytes, hashed: bytes) -> bool:
        checks[0] += 1
        return real(password, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", counted)
    for _ in range(3):
        auth.identify(_basic("ann", "s:cret"), None)
    assert checks == [1]
    for name in ("ann", "ann", "nobody", "nobody"):
        with pytest.raises(NoIdentity):
            auth.identify(_basic(name, "wrong"), None)
    assert checks == [5]


def test_basic_reads_a_changed_file(users: Path) -> None:
    auth = BasicAuth(users)
    auth.identify(_basic("ann", "s:cret"), None)
    users.write_text(f"ann:{_hash('other')}:{PROJECT}:admin\n")
    os.utime(users, ns=(time.time_ns(), time.time_ns() + 10**9))
    with pytest.raises(NoIdentity):
        auth.identify(_basic("ann", "s:cret"), None)
    assert auth.identify(_basic("ann", "other"), None).roles == ("admin",)
    users.write_text("broken")
    assert auth.identify(_basic("ann", "other"), None).roles == ("admin",)


HASH = "$2b$04$" + "a" * 53


@pytest.mark.parametrize(
    "line",
    [
        "ann",
        "ann:x:y",
        f"ann:plain:{PROJECT}:admin",
        f"a b:{HASH}:{PROJECT}:admin",
        f"ann:{HASH}:No Project:admin",
        f":{HASH}:{PROJECT}:admin",
        f"ann:{HASH}:abc:admin\nann:{HASH}:abc:admin",
    ],
)
def test_users_file_errors(line: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"line [12]") as error:
        parse_users(line)
    assert "$2b$" not in str(error.value)
    with pytest.raises(ConfigError):
        BasicAuth(tmp_path / "missing")


def test_basic_over_the_wire(world: World, users: Path) -> None:
    client = falcon.testing.TestClient(make_app(world.service, auth=BasicAuth(users)))
    header = {"Authorization": _basic("ann", "s:cret")["HTTP_AUTHORIZATION"]}
    assert client.simulate_get("/v2/shares", headers=header).status_code == 200
    refused = client.simulate_get("/v2/shares")
    assert (refused.status_code, refused.headers["content-type"]) == (401, "text/plain")
    assert refused.headers["www-authenticate"].startswith('Basic realm="')


# --- keystone ---------------------------------------------------------------------------------

TOKENS = {
    "good": {"HTTP_X_PROJECT_ID": PROJECT, "HTTP_X_USER_ID": "u", "HTTP_X_ROLES": "member,reader"},
    "unscoped": {"HTTP_X_USER_ID": "u", "HTTP_X_ROLES": "member"},
}
Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def _middleware(app: Wsgi, conf: Any) -> Wsgi:
    """Acts as keystonemiddleware does without delay_auth_decision."""
    assert conf["delay_auth_decision"] == "false"

    def check(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        for name in [n for n in environ if n.startswith("HTTP_X_") and n != "HTTP_X_AUTH_TOKEN"]:
            del environ[name]
        token = environ.get("HTTP_X_AUTH_TOKEN")
        if token == "down":
            start("503 Service Unavailable", [])
            return [b""]
        found = TOKENS.get(str(token))
        if found is None:
            start("401 Unauthorized", [])
            return [b""]
        environ["HTTP_X_IDENTITY_STATUS"] = "Confirmed"
        environ.update(found)
        return app(environ, start)

    return check


@pytest.fixture
def keystone() -> KeystoneAuth:
    return KeystoneAuth({"www_authenticate_uri": "https://id.test/v3"}, make=_middleware)


def test_keystone(keystone: KeystoneAuth) -> None:
    found = keystone.identify({"HTTP_X_AUTH_TOKEN": "good"}, None)
    assert found == Identity(user_id="u", project_id=PROJECT, roles=("member", "reader"))


@pytest.mark.parametrize("token", ["bad", "unscoped", None])
def test_keystone_refuses(keystone: KeystoneAuth, token: str | None, world: World) -> None:
    forged = {"X-Project-Id": PROJECT, "X-Roles": "admin", "X-Identity-Status": "Confirmed"}
    headers = forged | ({"X-Auth-Token": token} if token else {})
    client = falcon.testing.TestClient(make_app(world.service, auth=keystone))
    answer = client.simulate_get("/v2/shares", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Keystone uri="https://id.test/v3"'
    assert answer.json["error"]["code"] == 401
    assert client.simulate_get("/v2/", headers=headers).status_code == 200


def test_keystone_is_down(keystone: KeystoneAuth, world: World) -> None:
    with pytest.raises(AuthUnavailable):
        keystone.identify({"HTTP_X_AUTH_TOKEN": "down", "roadstead.token_checked": True}, None)
    client = falcon.testing.TestClient(make_app(world.service, auth=keystone))
    answer = client.simulate_get("/v2/shares", headers={"X-Auth-Token": "down"})
    assert (answer.status_code, list(answer.json)) == (503, ["serviceUnavailable"])


def test_the_real_middleware_without_a_token() -> None:
    pytest.importorskip("keystonemiddleware")
    settings = {"www_authenticate_uri": "http://127.0.0.1:1/v3", "auth_type": "password"}
    settings |= {"auth_url": "http://127.0.0.1:1/v3", "username": "u", "password": "p"}
    auth = KeystoneAuth(settings)
    environ = falcon.testing.create_environ("/v2/shares", headers={"X-Project-Id": PROJECT})
    with pytest.raises(NoIdentity):
        auth.identify(environ, None)
