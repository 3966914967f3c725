"""A real Keystone for tests: four seconds to start, on 127.0.0.1, gone with the test session.

Its programs live in .setup/keystone-venv (scripts/keystone-env.sh). A template with everything
below is made once, in .setup/keystone-template, and copied for each start; `python -m
tests.services.keystone` makes it in advance.

Projects service, tenA, tenB. Every password is `pw`:

    roadstead, nova   service and admin on service
    alice, rita, adm  member, reader, admin on tenA
    bob               member on tenB
    admin             admin on admin (its password is ADMIN_PASSWORD)
"""

import base64
import contextlib
import fcntl
import hashlib
import json
import secrets
import shutil
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import requests

from tests.services.process import Program, scratch_directory
from tests.temporary import Temporary

ROOT = Path(__file__).parents[2]
VENV = ROOT / ".setup" / "keystone-venv"
TEMPLATE = ROOT / ".setup" / "keystone-template"
SERVE = Path(__file__).with_name("keystone_serve.py")
LOCK = ROOT / "scripts" / "locks" / "keystone.txt"

REGION = "RegionOne"
ADMIN_PASSWORD = "secret"
PASSWORD = "pw"
PROJECTS = ("service", "tenA", "tenB")
USERS = {
    "roadstead": ("service", ("service", "admin")),
    "nova": ("service", ("service", "admin")),
    "alice": ("tenA", ("member",)),
    "rita": ("tenA", ("reader",)),
    "adm": ("tenA", ("admin",)),
    "bob": ("tenB", ("member",)),
}

CONFIG = """
[DEFAULT]
log_file = {directory}/keystone.log
[database]
connection = sqlite:///{directory}/keystone.db
[token]
provider = fernet
expiration = 86400
[fernet_tokens]
key_repository = {directory}/fernet
[fernet_receipts]
key_repository = {directory}/fernet
[credential]
key_repository = {directory}/credential
[cache]
enabled = true
backend = dogpile.cache.memory
[oslo_policy]
enforce_scope = true
enforce_new_defaults = true
[identity]
password_hash_rounds = 4
[oslo_messaging_notifications]
driver = noop
"""


class Keystone(Temporary):
    """A Keystone of our own, as a context manager.

    `url` is its address with /v3; `projects` and `users` give ids by name.
    """

    url: str
    projects: dict[str, str]
    users: dict[str, str]

    def _make(self, undo: contextlib.ExitStack) -> None:
        ensure_template()
        self.directory = directory = undo.enter_context(scratch_directory("roadstead-keystone-"))
        shutil.copytree(TEMPLATE, directory, dirs_exist_ok=True)
        self._http = undo.enter_context(_session())
        self.url, self.program = undo.enter_context(_serving(directory))
        ids = json.loads((directory / "ids.json").read_text())
        self.projects, self.users = ids["projects"], ids["users"]

    def token(self, user: str, project: str, password: str = PASSWORD) -> str:
        """A new token of the user for the project. Raises requests.HTTPError (401) when refused."""
        return _token(self._http, self.url, user, project, password)

    def validate(self, token: str) -> dict[str, Any] | None:
        """What Keystone tells the service about a token, or None if it does not know it."""
        mine = self.token("roadstead", "service")
        headers = {"X-Auth-Token": mine, "X-Subject-Token": token}
        answer = self._http.get(f"{self.url}/auth/tokens", headers=headers, timeout=30)
        if answer.status_code == 404:
            return None
        answer.raise_for_status()
        return answer.json()["token"]

    def seed(self, endpoints: Mapping[str, str]) -> None:
        """The catalog shows these endpoints (service type to URL), and no other of these types."""
        api = _Api(self._http, self.url, self.token("admin", "admin", ADMIN_PASSWORD))
        services = {service["type"]: service["id"] for service in api.get("services")}
        for kind, url in endpoints.items():
            if kind in services:
                api.delete(f"services/{services[kind]}")  # with its endpoints
            service = api.post("services", {"type": kind, "name": kind})
            for interface in ("public", "internal", "admin"):
                endpoint = {"interface": interface, "url": url, "region_id": REGION}
                api.post("endpoints", {**endpoint, "service_id": service["id"]})

    def client_environment(
        self, user: str, project: str, password: str = PASSWORD
    ) -> dict[str, str]:
        """The variables that openstackclient and openstacksdk read."""
        return {
            "OS_AUTH_URL": self.url,
            "OS_USERNAME": user,
            "OS_PASSWORD": password,
            "OS_PROJECT_NAME": project,
            "OS_USER_DOMAIN_ID": "default",
            "OS_PROJECT_DOMAIN_ID": "default",
            "OS_REGION_NAME": REGION,
            "OS_IDENTITY_API_VERSION": "3",
        }


def ensure_template() -> None:
    """The template is there and is what this file describes. Safe when many ask at once."""
    if not (VENV / "bin" / "keystone-manage").exists():
        raise RuntimeError("there is no Keystone in .setup/keystone-venv: run `make setup`")
    sources = b"".join(path.read_bytes() for path in (Path(__file__), SERVE, LOCK))
    key = hashlib.sha256(sources).hexdigest()
    with Path(f"{TEMPLATE}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with contextlib.suppress(FileNotFoundError):
            if (TEMPLATE / "key").read_text() == key:
                return
        shutil.rmtree(TEMPLATE, ignore_errors=True)
        with scratch_directory("roadstead-keystone-") as directory:
            _make_template(directory)
            (directory / "key").write_text(key)
            shutil.copytree(directory, f"{TEMPLATE}.new", dirs_exist_ok=True)
        Path(f"{TEMPLATE}.new").rename(TEMPLATE)


def _make_template(directory: Path) -> None:
    for name in ("fernet", "credential"):
        # what `keystone-manage fernet_setup` does, but for its wish to be another user
        keys = directory / name
        keys.mkdir(mode=0o700)
        for number in "01":
            (keys / number).touch(mode=0o600)
            (keys / number).write_bytes(base64.urlsafe_b64encode(secrets.token_bytes(32)))
    _manage(directory, "db_sync")
    names = {"username": "admin", "project-name": "admin", "role-name": "admin"}
    options = {**names, "password": ADMIN_PASSWORD, "region-id": REGION, "service-name": "keystone"}
    options |= {f"{interface}-url": "http://x" for interface in ("public", "internal", "admin")}
    arguments = [word for name, value in options.items() for word in (f"--bootstrap-{name}", value)]
    _manage(directory, "bootstrap", *arguments)
    with _session() as http, _serving(directory) as (url, _):
        api = _Api(http, url, _token(http, url, "admin", "admin", ADMIN_PASSWORD))
        (directory / "ids.json").write_text(json.dumps(_populate(api)))
    for path in [*directory.glob("*.log"), directory / "port", directory / "keystone.conf"]:
        path.unlink()


def _populate(api: "_Api") -> dict[str, dict[str, str]]:
    roles = {role["name"]: role["id"] for role in api.get("roles")}
    if "service" not in roles:
        roles["service"] = api.post("roles", {"name": "service"})["id"]
    projects = {
        name: api.post("projects", {"name": name, "domain_id": "default"})["id"]
        for name in PROJECTS
    }
    users: dict[str, str] = {}
    for name, (project, held) in USERS.items():
        user = {"name": name, "password": PASSWORD, "domain_id": "default"}
        users[name] = api.post("users", {**user, "default_project_id": projects[project]})["id"]
        for role in held:
            api.put(f"projects/{projects[project]}/users/{users[name]}/roles/{roles[role]}")
    return {"projects": projects, "users": users}


def _manage(directory: Path, *arguments: str) -> None:
    argv = [VENV / "bin" / "keystone-manage", "--config-file", _write_config(directory)]
    log = directory / "manage.log"
    Program([*argv, *arguments], log=log, end_signal="KILL").wait_until_done()


def _write_config(directory: Path) -> Path:
    path = directory / "keystone.conf"
    path.write_text(CONFIG.format(directory=directory))
    return path


@contextlib.contextmanager
def _serving(directory: Path) -> Generator[tuple[str, Program]]:
    """Keystone answers at the URL given."""
    port = directory / "port"
    port.unlink(missing_ok=True)
    # -P: or `import keystone` would find the file beside the script
    argv = [VENV / "bin" / "python", "-P", SERVE, _write_config(directory)]
    program = Program(
        [*argv, directory / "keystone.db", port], log=directory / "serve.log", end_signal="KILL"
    )
    try:
        program.wait_until(port.exists)
        yield f"http://127.0.0.1:{port.read_text()}/v3", program
    finally:
        program.stop()


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # no proxy stands between us and 127.0.0.1
    return session


def _token(http: requests.Session, url: str, user: str, project: str, password: str) -> str:
    domain = {"id": "default"}
    identity = {
        "methods": ["password"],
        "password": {"user": {"name": user, "domain": domain, "password": password}},
    }
    scope = {"project": {"name": project, "domain": domain}}
    body = {"auth": {"identity": identity, "scope": scope}}
    answer = http.post(f"{url}/auth/tokens", json=body, timeout=30)
    answer.raise_for_status()
    return answer.headers["X-Subject-Token"]


class _Api:
    """Keystone's API, as an administrator. Every error is raised."""

    def __init__(self, http: requests.Session, url: str, token: str) -> None:
        self._http, self._url, self._headers = http, url, {"X-Auth-Token": token}

    def get(self, collection: str) -> list[dict[str, Any]]:
        return self._call("GET", collection).json()[collection]

    def post(self, collection: str, body: dict[str, Any]) -> dict[str, Any]:
        name = collection.removesuffix("s")
        return self._call("POST", collection, json={name: body}).json()[name]

    def put(self, path: str) -> None:
        self._call("PUT", path)

    def delete(self, path: str) -> None:
        self._call("DELETE", path)

    def _call(self, method: str, path: str, **options: Any) -> requests.Response:
        answer = self._http.request(
            method, f"{self._url}/{path}", headers=self._headers, timeout=30, **options
        )
        answer.raise_for_status()
        return answer


if __name__ == "__main__":
    ensure_template()
