"""The command `roadstead`."""

import os
import sys
from importlib import metadata
from typing import Annotated

import typer

from roadstead.cli import activity, attachments, migration, secrets, shares, users
from roadstead.cli.options import HERE, PRINTING, Global, command, everywhere
from roadstead.config.source import warn_in_one_line
from roadstead.engine.unpickling import forbid_unpickling

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def up(options: Global) -> None:
    """Run Roadstead on this machine: the API and the agent, until interrupted."""
    argv = [sys.executable, "-m", "roadstead.up.supervisor"]
    for option, value in (("--config", options.config), ("--state", options.state)):
        if value is not None:
            argv += [option, str(value.absolute())]
    # A fresh interpreter: what this one loaded to read its arguments would stay for good.
    os.execv(sys.executable, argv)  # noqa: S606 -- no shell


def down(options: Global) -> None:
    """Stop serving: export servers end and pools are unmounted; every byte and rule is kept.

    `up` that ends leaves the exports running, so that mounted clients do not notice; this is for
    when the machine or the state directory is wanted back.
    """
    from roadstead.agent.takedown import take_down

    take_down(options.load())


def config(
    options: Global,
    effective: Annotated[
        bool, typer.Option("--effective", help="What is in force here, without passwords.")
    ] = False,
    driver: Annotated[
        str,
        typer.Option(
            "--driver",
            metavar="AXIS/NAME",
            help="Print a driver's options instead: pools/image, exports/ganesha …",
        ),
    ] = "",
) -> None:
    """Print every key with its default and meaning, as a file to start from."""
    from roadstead.config import reference as config_reference

    if driver:
        from roadstead.drivers import reference

        typer.echo(reference.as_toml(driver), nl=False)
    elif effective:
        from roadstead.agent.chosen import complete

        typer.echo(config_reference.effective(complete(options.load())), nl=False)
    else:
        typer.echo(config_reference.reference(), nl=False)


def doctor(options: Global) -> None:
    """Tell what each road needs and what this machine has; 0 when the direct road works."""
    from roadstead.doctor import report as examination

    settings = options.load()
    if options.for_people:
        raise typer.Exit(examination.run(settings))
    import json

    from roadstead.cli.terminal import show_list
    from roadstead.config.sections import DEFAULT_ROAD

    whole = json.loads(examination.as_json_text(examination.all_checks(settings)))
    show_list(options, whole["checks"], "road name state found fix", whole=whole)
    raise typer.Exit(0 if whole["roads"][DEFAULT_ROAD] else 1)


def version(_options: Global) -> None:
    """Print the version."""
    typer.echo(metadata.version("roadstead"))


app.callback()(everywhere)
for run in (up, down, config):
    command(app, run, takes=HERE)
command(app, doctor, takes=PRINTING)
command(app, version, takes=())
for part in (shares, activity, attachments, migration, users, secrets):
    part.register(app)


def main() -> None:
    """The entry point."""
    forbid_unpickling()
    warn_in_one_line()
    app()
