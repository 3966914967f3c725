"""What `[standbys.<name>]` makes of this machine."""

from collections.abc import Iterator

from roadstead.config.sections import Config
from roadstead.drivers.export.gateway.standby import StandbyGateway
from roadstead.roads.gateway.storage import storage_of
from roadstead.roads.networked import Standby


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
