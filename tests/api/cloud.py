"""A live Roadstead with as many users and projects as a test wants, and their clients."""

import os
import uuid
from pathlib import Path
from typing import Any
from unittest import mock

import bcrypt
import openstack
import openstack.connection
import yaml

from tests.api.cli import Cli, OpenStackClient
from tests.live.api import Api
from tests.live.service import Roadstead

PASSWORD = "secret"
_HASH = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
MEMBER, READER, ADMIN = ("member", "reader"), ("reader",), ("admin",)


class User:
    """Somebody: a name that is also a cloud in the clouds.yaml, a project, and three clients."""

    def __init__(
        self, client: OpenStackClient, url: str, name: str, project: str, clouds: Path
    ) -> None:
        self.name = name
        self.project = project
        self.cli = Cli(client, {"OS_CLIENT_CONFIG_FILE": str(clouds), "OS_CLOUD": name})
        self.api = Api(url, name, PASSWORD)
        self._clouds = clouds

    def connect(self) -> openstack.connection.Connection:
        """An openstacksdk connection by the name of the cloud."""
        with mock.patch.dict(os.environ, {"OS_CLIENT_CONFIG_FILE": str(self._clouds)}):
            return openstack.connect(cloud=self.name)

    def share(self, **fields: Any) -> dict[str, Any]:
        """A new share, available, made without the client that is being tested."""
        return self.api.create_share(**fields)


class Cloud:
    """The server, and the clients of everybody on it."""

    def __init__(self, server: Roadstead, client: OpenStackClient) -> None:
        self.server = server
        self._client = client
        self._users = server.state / "etc" / "users"

    def user(self, roles: tuple[str, ...] = MEMBER, project: str | None = None) -> User:
        """A new user, in a new project unless told otherwise."""
        name, project = f"u{uuid.uuid4().hex[:12]}", project or uuid.uuid4().hex
        with self._users.open("a") as file:
            file.write(f"{name}:{_HASH}:{project}:{','.join(roles)}\n")
        clouds = self.server.state / f"{name}.yaml"
        auth = {"endpoint": f"{self.server.url}/v2", "username": name, "password": PASSWORD}
        cloud = {
            "auth_type": "http_basic",
            "auth": auth,
            "shared_file_system_default_microversion": "2.82",
        }
        clouds.write_text(yaml.safe_dump({"clouds": {name: cloud}}))
        return User(self._client, self.server.url, name, project, clouds)
