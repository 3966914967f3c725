"""Where the API is, and the header that says who asks: from clouds.yaml or OS_… variables."""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from roadstead.cli.credentials import Credentials, api_url
from roadstead.config.sections import Config
from roadstead.model.errors import ConfigError

_ADMIN_CLOUD = "roadstead-admin"
# What needs no Keystone to be asked; everything else is a way to log in there.
_SIMPLE = ("none", "http_basic", "token", "v3token", "admin_token")
_NAMES = "OS_CLOUD (or --cloud), OS_ENDPOINT, or OS_AUTH_URL with OS_USERNAME, OS_PASSWORD …"


def credentials(config: Config, cloud: str | None, environ: Mapping[str, str]) -> Credentials:
    """Those of the cloud named here or in OS_CLOUD; else of OS_ENDPOINT, OS_USERNAME, …; else a
    log-in at the Keystone of OS_AUTH_URL; else of the administrator in <state>/clouds.yaml; else
    none at all, for auth = "none". ConfigError when what is named is not there, or is refused."""
    cloud = cloud or environ.get("OS_CLOUD") or None
    kind = environ.get("OS_AUTH_TYPE")
    if cloud is not None:
        return _of_cloud(cloud, _files(config, environ), environ)
    if environ.get("OS_ENDPOINT") and (kind or "http_basic") in _SIMPLE:
        names = ("endpoint", "username", "password", "token")
        auth = {name: environ.get(f"OS_{name.upper()}", "") for name in names}
        return _made(kind or "http_basic", auth, "the OS_… variables", _verify(environ))
    if environ.get("OS_AUTH_URL"):
        return _logged_in(None, None)
    if kind is not None and kind not in _SIMPLE:
        raise ConfigError(
            f"OS_AUTH_TYPE={kind} wants OS_AUTH_URL, the address of Keystone; with a token "
            "(`openstack token issue`) OS_AUTH_TYPE=token, OS_ENDPOINT and OS_TOKEN are enough"
        )
    if config.api.auth == "none":
        from roadstead.up.bootstrap import endpoint

        return _made("none", {"endpoint": endpoint(config)}, "nobody", True)
    return _of_cloud(_ADMIN_CLOUD, _files(config, environ)[:1], environ)


def _files(config: Config, environ: Mapping[str, str]) -> list[Path]:
    """Where a cloud is looked for: in the file that is named, or this machine's and then those
    that the stock client reads."""
    named = environ.get("OS_CLIENT_CONFIG_FILE")
    if named:
        return [Path(named)]
    home = Path(environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    places = (Path(), home / "openstack", Path("/etc/openstack"))
    return [Path(config.state_directory, "clouds.yaml"), *(p / "clouds.yaml" for p in places)]


def _of_cloud(cloud: str, files: list[Path], environ: Mapping[str, str]) -> Credentials:
    read = [file for file in files if len(files) == 1 or file.exists()]
    for file in read:
        entry = _entry(file, cloud)
        if entry is None:
            continue
        kind = entry.auth_type or "password"
        if kind not in _SIMPLE:
            return _logged_in(cloud, file)
        verify = _verify(environ, entry.verify, entry.cacert)
        return _made(kind, entry.auth, f"cloud {cloud} of {file}", verify)
    where = ", ".join(map(str, read or files))
    raise ConfigError(f"there is no cloud {cloud!r} in {where}; say who asks by {_NAMES}")


class _Cloud(msgspec.Struct, frozen=True):
    """What we read of an entry in clouds.yaml; what Keystone is told, the SDK reads."""

    auth_type: str | None = None
    auth: dict[str, Any] = {}
    verify: bool | None = None
    cacert: str | None = None


class _Clouds(msgspec.Struct, frozen=True):
    clouds: dict[str, Any]


def _entry(file: Path, cloud: str) -> _Cloud | None:
    import yaml

    try:
        clouds = msgspec.convert(yaml.safe_load(file.read_text()), _Clouds).clouds
        return msgspec.convert(clouds[cloud], _Cloud) if cloud in clouds else None
    except OSError as error:
        raise ConfigError(
            f"{file} cannot be read: {error.strerror}; say who asks by {_NAMES}"
        ) from error
    except msgspec.ValidationError as error:
        raise ConfigError(f"{file} is no clouds.yaml: {error}") from error
    except (ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"{file} is no clouds.yaml: it is no YAML") from error


def _verify(
    environ: Mapping[str, str], verify: bool | None = None, cacert: str | None = None
) -> bool | str:
    if verify is False or environ.get("OS_INSECURE", "").lower() in ("1", "true"):
        return False
    return cacert or environ.get("OS_CACERT") or True


def _made(kind: str, auth: Mapping[str, Any], source: str, verify: bool | str) -> Credentials:
    headers: dict[str, str] = {}
    if kind == "http_basic":
        pair = f"{auth.get('username', '')}:{auth.get('password', '')}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    elif kind != "none":
        headers["X-Auth-Token"] = str(auth.get("token", "")).strip()
    url = str(auth.get("endpoint") or "")
    return Credentials(url=api_url(url, source), headers=headers, source=source, verify=verify)


def _logged_in(cloud: str | None, file: Path | None) -> Credentials:
    from roadstead.cli import keystone

    return keystone.log_in(cloud, file)
