"""The name under which this machine's state was begun, in `<state>/etc/host`.

All that is in the state directory and in the pools is found again by the host's name, and the name
is the machine's own unless the configuration says another: one that changed unnoticed would make
everything here nobody's.
"""

from pathlib import Path

from roadstead.config.sections import Config
from roadstead.model.errors import ConfigError
from roadstead.process.files import write_durably


class AnotherHost(ConfigError):
    """What is here belongs to a host of another name."""

    def __init__(self, config: Config, was: str, what: str) -> None:
        """`what` is the other host's, as the beginning of the message."""
        super().__init__(
            f'host: {what} host "{was}", and this is host "{config.host}" now. '
            f'Set host = "{was}" in the configuration; if the machine was really renamed, the same '
            "line keeps the old name as the service's. For another service on this machine, set a "
            "state_directory, and directories of pools, of its own. Nothing was changed"
        )
        self.was = was


def file_of(config: Config) -> Path:
    """Where the name is kept."""
    return Path(config.state_directory) / "etc" / "host"


def known(config: Config) -> str | None:
    """The name that the state directory was begun with; None when nobody noted it. ConfigError
    when it cannot be read."""
    try:
        return file_of(config).read_text().strip() or None
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file_of(config)}: {error}") from error


def check(config: Config) -> None:
    """AnotherHost when the state directory was begun with another name."""
    was = known(config)
    if was is not None and was != config.host:
        raise AnotherHost(config, was, f"{config.state_directory} belongs to")


def remember(config: Config) -> None:
    """The name is noted, also after a power cut, unless one is already."""
    file = file_of(config)
    if known(config) is not None:
        return
    file.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    write_durably(file, f"{config.host}\n", mode=0o600)
