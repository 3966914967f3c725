"""What a configuration may not say: each check names the key that is wrong."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from roadstead.model.errors import ConfigError

if TYPE_CHECKING:
    from roadstead.config.sections import ApiConfig


def check_networks(key: str, networks: tuple[str, ...]) -> None:
    for network in networks:
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            raise ConfigError(f"{key}: {error}") from error


def check_api(api: ApiConfig) -> None:
    try:
        loopback = api.bind == "localhost" or ipaddress.ip_address(api.bind).is_loopback
    except ValueError as error:
        raise ConfigError(f"api.bind: {error}") from error
    if api.auth == "none" and not loopback:
        raise ConfigError(f'api.auth: "none" listens on loopback only, api.bind is {api.bind}')
    if api.auth == "keystone":
        for key in ("auth_url", "username", "password"):
            if not getattr(api.keystone, key):
                raise ConfigError(f'api.keystone.{key}: needed when api.auth is "keystone"')
