"""What several commands have in common: options, the configuration, and how they fail."""

import os
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from roadstead.config import Config, load
from roadstead.model.errors import RoadsteadError

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="The configuration file.", show_default=False)
]
StateOption = Annotated[
    Path | None,
    typer.Option("--state", help="Where everything is kept; over the file.", show_default=False),
]


def load_or_fail(config: Path | None, state: Path | None) -> Config:
    """The configuration in force; the command ends with its error if it has one."""
    try:
        return load(config, os.environ, state)
    except RoadsteadError as error:
        fail(str(error))


def fail(text: str) -> NoReturn:
    """The command ends with status 1 and this line."""
    typer.echo(f"roadstead: {text}", err=True)
    raise typer.Exit(1)
