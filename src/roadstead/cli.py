"""The command `roadstead`."""

import os
import sys
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from roadstead import commands, commands_attachments, commands_migration, commands_secrets
from roadstead.engine.unpickling import forbid_unpickling
from roadstead.model.errors import RoadsteadError
from roadstead.options import ConfigOption, StateOption, fail, load_or_fail

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
users_app = typer.Typer(no_args_is_help=True, help="Users of the http_basic mode.")
app.add_typer(users_app, name="users")


@app.command()
def up(config: ConfigOption = None, state: StateOption = None) -> None:
    """Run Roadstead on this machine: the API and the agent, until interrupted."""
    argv = [sys.executable, "-m", "roadstead.supervisor"]
    for option, value in (("--config", config), ("--state", state)):
        if value is not None:
            argv += [option, str(value.absolute())]
    # A fresh interpreter: what this one loaded to read its arguments would stay for good.
    os.execv(sys.executable, argv)  # noqa: S606 -- no shell


@app.command()
def down(config: ConfigOption = None, state: StateOption = None) -> None:
    """Stop serving: export servers end and pools are unmounted; every byte and rule is kept.

    `up` that ends leaves the exports running, so that mounted clients do not notice; this is for
    when the machine or the state directory is wanted back.
    """
    from roadstead.takedown import take_down

    try:
        take_down(load_or_fail(config, state))
    except RoadsteadError as error:
        fail(str(error))


@app.command(name="config")
def config_(
    config: ConfigOption = None,
    state: StateOption = None,
    effective: Annotated[
        bool, typer.Option("--effective", help="What is in force here, without passwords.")
    ] = False,
) -> None:
    """Print every key with its default and meaning, as a file to start from."""
    from roadstead import config_reference

    if effective:
        typer.echo(config_reference.effective(load_or_fail(config, state)), nl=False)
    else:
        typer.echo(config_reference.reference(), nl=False)


@app.command()
def doctor(
    config: ConfigOption = None,
    state: StateOption = None,
    json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Tell what each road needs and what this machine has; 0 when the direct road works."""
    from roadstead import doctor as examination

    raise typer.Exit(examination.run(load_or_fail(config, state), as_json=json))


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(metadata.version("roadstead"))


commands.register(app)
commands_attachments.register(app)
commands_migration.register(app)
commands_secrets.register(app)


@users_app.command("add")
def users_add(
    name: str,
    project: Annotated[
        str | None, typer.Option(help="Project id; a new one if not given.", show_default=False)
    ] = None,
    role: Annotated[list[str] | None, typer.Option(help="May be repeated.")] = None,
    config: ConfigOption = None,
    state: StateOption = None,
) -> None:
    """Add a user and print the password made for it; it counts at once."""
    from roadstead.bootstrap import add_user, endpoint

    settings = load_or_fail(config, state)
    roles = role or ["member", "reader"]
    try:
        password, project = add_user(
            Path(settings.api.users_file), name, project_id=project, roles=roles
        )
    except (ValueError, OSError) as error:
        fail(str(error))
    typer.echo(
        f"user {name}, password {password}, project {project}, roles {','.join(roles)}\n"
        f"OS_AUTH_TYPE=http_basic OS_ENDPOINT={endpoint(settings)} "
        f"OS_USERNAME={name} OS_PASSWORD={password}"
    )


@users_app.command("list")
def users_list(config: ConfigOption = None, state: StateOption = None) -> None:
    """Print each user's name, project and roles."""
    try:
        text = Path(load_or_fail(config, state).api.users_file).read_text()
    except OSError as error:
        fail(str(error))
    for line in text.splitlines():
        if line.count(":") == 3 and not line.startswith("#"):
            name, _hash, project, roles = line.split(":")
            typer.echo(f"{name}\t{project}\t{roles}")


def main() -> None:
    """The entry point."""
    forbid_unpickling()
    app()
