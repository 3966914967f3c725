"""The first start: two users with fresh passwords, and a clouds.yaml that uses them."""

import re
import secrets
import uuid
from collections.abc import Iterable
from pathlib import Path

from roadstead.config.sections import Config
from roadstead.model.errors import ConfigError
from roadstead.process.files import write_durably
from roadstead.process.privileges import Account

# name, its cloud in clouds.yaml, roles
FIRST_USERS = (
    ("admin", "roadstead-admin", ("admin",)),
    ("demo", "roadstead", ("member", "reader")),
)
# The newest that openstacksdk (4.x) names itself.
SDK_MICROVERSION = "2.82"
# As `auth_basic` spends on an unknown name, so that both take the same time.
_BCRYPT_COST = 10


def bootstrap(config: Config, account: Account) -> None:
    """The users file and <state>/clouds.yaml exist when auth is http_basic. What exists is never
    touched; a start that was killed half-way is completed. ConfigError when only clouds.yaml
    exists: nobody knows the users whose passwords it has."""
    users = Path(config.api.users_file)
    clouds = Path(config.state_directory) / "clouds.yaml"
    coming = clouds.with_name(".clouds.yaml.coming")
    if config.api.auth != "http_basic":
        return
    if not users.exists():
        if clouds.exists():
            raise ConfigError(
                f"api.users_file: {users} is missing; put it back, or move {clouds} away "
                "and new users are made"
            )
        passwords = {name: secrets.token_urlsafe(18) for name, _cloud, _roles in FIRST_USERS}
        lines = [user_line(name, passwords[name], roles) for name, _cloud, roles in FIRST_USERS]
        # The passwords first: users whose passwords are lost would stay for good.
        write_durably(coming, clouds_yaml(endpoint(config), passwords), mode=0o600)
        users.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        text = users_header() + "".join(lines)
        write_durably(users, text, mode=0o640, gid=account.gid)
    if coming.exists():
        coming.rename(clouds)
        _tell(clouds)


def add_user(
    users: Path, name: str, *, project_id: str | None = None, roles: Iterable[str] = ("member",)
) -> tuple[str, str]:
    """(password, project id) of the new user in the file. ValueError when the name is taken or
    cannot be written there."""
    if not name or any(c.isspace() or c in ":#" for c in name):
        raise ValueError("a user name has no space, ':' or '#'")
    roles = list(roles)
    if any(not re.fullmatch(r"[\w.-]+", role) for role in roles):
        raise ValueError("a role has letters, digits, '-', '_' and '.'")
    if project_id is not None and not re.fullmatch(r"[0-9a-f-]{1,64}", project_id):
        raise ValueError("a project id has hex digits and dashes")
    before = users.read_text() if users.exists() else users_header()
    if any(line.partition(":")[0].strip() == name for line in before.splitlines()):
        raise ValueError(f"there is a user {name!r} already")
    password, project = secrets.token_urlsafe(18), project_id or uuid.uuid4().hex
    info = users.stat() if users.exists() else None
    end = "" if before.endswith("\n") else "\n"
    text = before + end + user_line(name, password, roles, project_id=project)
    write_durably(users, text, mode=0o640, gid=info.st_gid if info else -1)
    return password, project


def user_line(
    name: str, password: str, roles: Iterable[str], *, project_id: str | None = None
) -> str:
    """A line of the users file; a project of its own when none is given."""
    import bcrypt

    hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(_BCRYPT_COST)).decode()
    return f"{name}:{hashed}:{project_id or uuid.uuid4().hex}:{','.join(roles)}\n"


def users_header() -> str:
    """The comment at the head of a users file."""
    return (
        "# name:bcrypt-hash:project_id:role,role -- read again when it changes.\n"
        "# `roadstead users add NAME` adds one.\n"
    )


def endpoint(config: Config) -> str:
    """The API's URL for clients on this machine, with /v2."""
    if config.api.base_url:
        return config.api.base_url.rstrip("/") + "/v2"
    here = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(  # noqa: S104 -- compared, not bound
        config.api.bind, config.api.bind
    )
    return f"http://{f'[{here}]' if ':' in here else here}:{config.api.port}/v2"


def clouds_yaml(url: str, passwords: dict[str, str]) -> str:
    """What openstackclient and openstacksdk read. openstackclient chooses the microversion itself;
    openstacksdk would ask for the first one in most of its calls, which has half of them."""
    parts = ["# Made at the first start. OS_CLIENT_CONFIG_FILE=<this file>, then e.g.:\n"
             "#   openstack --os-cloud roadstead share list\n"
             "clouds:\n"]  # fmt: skip
    for name, cloud, _roles in FIRST_USERS:
        parts.append(
            f"  {cloud}:\n"
            "    auth_type: http_basic\n"
            f'    shared_file_system_default_microversion: "{SDK_MICROVERSION}"\n'
            "    auth:\n"
            f'      endpoint: "{url}"\n'
            f'      username: "{name}"\n'
            f'      password: "{passwords[name]}"\n'
        )
    return "".join(parts)


def _tell(clouds: Path) -> None:
    print(
        f"roadstead: made users admin and demo; their passwords are in {clouds}. Try:\n"
        f"    export OS_CLIENT_CONFIG_FILE={clouds}\n"
        "    openstack --os-cloud roadstead share create NFS 1 --name first\n"
        "    openstack --os-cloud roadstead-admin share type list",
        flush=True,
    )
