"""Logging in at Keystone, by password or any other way that keystoneauth1 has.

The SDK's loader reads clouds.yaml, secure.yaml and OS_… variables, as it does for `openstack`.
Both libraries come with the extra `openstack`; without them everything but this module works.
"""

import logging
from pathlib import Path
from typing import Any

from roadstead.cli.credentials import Credentials, api_url
from roadstead.model.errors import ConfigError

SERVICE_TYPE = "shared-file-system"  # the catalog may call it `sharev2` as well


def log_in(cloud: str | None, file: Path | None) -> Credentials:
    """A token, and the API's address from the catalog: for that cloud of that file, or else for
    what the OS_… variables tell. ConfigError when it is refused, or a library is missing."""
    try:
        from keystoneauth1.exceptions import ConnectFailure
        from openstack.config import OpenStackConfig
    except ImportError as error:
        raise ConfigError(
            f"logging in at Keystone needs a library that is missing here ({error.name}): "
            "pip install 'roadstead[openstack]'; without it OS_AUTH_TYPE=token, OS_ENDPOINT and "
            "OS_TOKEN (`openstack token issue`) work, too"
        ) from error
    # It tells what it tries as warnings; we tell what came of it.
    logging.getLogger("keystoneauth").setLevel(logging.ERROR)
    source = "the OS_… variables" if cloud is None else f"cloud {cloud} of {file}"
    try:
        loader: Any = OpenStackConfig(
            config_files=[str(file)] if file else [],
            load_yaml_config=file is not None,
            load_envvars=cloud is None,
        )
        return _asked(loader.get_one(cloud), source)
    except ConfigError:
        raise
    except ConnectFailure as error:
        url = str(error).partition(": HTTP")[0]
        raise ConfigError(f"{source}: Keystone does not answer: {url}") from error
    except Exception as error:  # the libraries raise plain ones for what is missing
        raise ConfigError(f"{source}: {error}") from error


def _asked(region: Any, source: str) -> Credentials:
    session = region.get_session()
    headers: dict[str, str] = session.get_auth_headers() or {}
    endpoint = region.get_endpoint(SERVICE_TYPE) or _in_catalog(region, session)
    if endpoint is None:
        raise ConfigError(f"{source}: Keystone's catalog shows no {SERVICE_TYPE} for this user")
    verify, _certificate = region.get_requests_verify_args()
    return Credentials(url=api_url(endpoint, source), headers=headers, source=source, verify=verify)


def _in_catalog(region: Any, session: Any) -> str | None:
    try:
        return session.get_endpoint(
            service_type=SERVICE_TYPE,
            interface=region.get_interface(SERVICE_TYPE),
            region_name=region.get_region_name(SERVICE_TYPE),
        )
    except ValueError:
        # So it tells that the region has neither of the type's two names.
        return None
