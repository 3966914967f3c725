"""Road direct: the backend exports the share at its own addresses; access rules are the only
isolation, and the API says so (`isolation = acl`)."""

from collections.abc import Mapping
from typing import Self

from roadstead.config.sections import BackendConfig, Config
from roadstead.drivers.base.export import ExportServer
from roadstead.model.networks import NetworkInfo
from roadstead.model.shares import ShareInstance
from roadstead.model.world import Place
from roadstead.roads.base import Ledger, Servers
from roadstead.roads.networked import Networked


class Direct:
    """See `roadstead.roads.base.Road`. Others are this one with less or more."""

    name: str = "direct"
    isolation: str = "acl"
    serves: bool = True

    @property
    def servers(self) -> Servers | None:
        return None

    @classmethod
    def check(cls, config: Config) -> None:
        """Any backend can have it."""

    @classmethod
    def make(cls, section: BackendConfig, networked: Networked | None) -> Self:
        return cls()

    def places(self, own: Place, servers: Mapping[str, Place]) -> dict[str, Place]:
        return {"": own, **servers}

    def open(
        self, export: ExportServer, own: Place, instance: ShareInstance, ledger: Ledger
    ) -> Place:
        """A share may still be on a server, from a time when the backend had another road."""
        return own if instance.share_server_id is None else ledger.ready(instance.share_server_id)

    def close(self, export: ExportServer, instance: ShareInstance, ledger: Ledger) -> None:
        """There was nothing to be made."""

    def capabilities(
        self, network: NetworkInfo | None, limits: Mapping[str, int]
    ) -> dict[str, object]:
        return {}
