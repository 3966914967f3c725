"""What a request to the API needs to know of who asks."""

import urllib.parse
from collections.abc import Mapping

import msgspec

from roadstead.model.errors import ConfigError


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """Where the API is, without /v2, and the header that says who asks. `source` tells a person
    where they are from; `verify` is a file of CAs, or whether certificates are checked at all."""

    url: str
    headers: Mapping[str, str]
    source: str
    verify: bool | str = True


def api_url(endpoint: str, source: str) -> str:
    """The API's address without /v2. ConfigError when the endpoint is no URL."""
    try:
        parts = urllib.parse.urlsplit(endpoint)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise ConfigError(f"{source}: no endpoint like http://HOST:8786/v2, but {endpoint!r}")
    return endpoint.rstrip("/").partition("/v2")[0]
