"""What `[standbys.<name>]` makes of this machine."""

from collections.abc import Iterator

from roadstead.config.sections import Config, StorageConfig
from roadstead.drivers.export.gateway.standby import StandbyGateway
from roadstead.model.share_networks import Subnet
from roadstead.roads.gateway import storage_subnets
from roadstead.roads.standby import Standby


def make_standbys(config: Config) -> Iterator[Standby]:
    """Every configured one; the world is not touched yet."""
    for name, section in config.standbys.items():
        yield Standby(
            name=name,
            active=f"{section.of}@{name}",
            storage=storage_of(section.storage),
            filer=section.filer.addresses,
            export=StandbyGateway(
                filer=section.filer.addresses,
                port=section.filer.port,
                state_directory=f"{config.state_directory}/exports/standby-{name}",
            ),
        )


def storage_of(storage: StorageConfig) -> tuple[Subnet, ...]:
    """The storage network's subnets."""
    return storage_subnets(
        storage.subnets,
        kind=storage.type,
        physical_network=storage.physical_network,
        number=storage.id or None,
        mtu=storage.mtu or None,
    )
