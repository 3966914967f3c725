"""`roadstead users …`: who may ask in the http_basic mode."""

from pathlib import Path
from typing import Annotated

import typer

from roadstead.cli.options import PRINTING, Global, command
from roadstead.cli.terminal import show_list, show_one
from roadstead.model.errors import ConfigError


def register(app: typer.Typer) -> None:
    """The commands are part of `app`."""
    users = typer.Typer(no_args_is_help=True, help="Users of the http_basic mode.")
    app.add_typer(users, name="users")
    command(users, add, takes=PRINTING)
    command(users, list_, name="list", takes=PRINTING)


def add(
    options: Global,
    name: str,
    project: Annotated[
        str | None, typer.Option(help="Project id; a new one if not given.", show_default=False)
    ] = None,
    role: Annotated[
        list[str] | None,
        typer.Option(help="May be repeated; member and reader if not given.", show_default=False),
    ] = None,
) -> None:
    """Add a user and print the password made for it; it counts at once."""
    from roadstead.up.bootstrap import add_user, endpoint

    settings = options.load()
    roles = role or ["member", "reader"]
    try:
        password, project = add_user(
            Path(settings.api.users_file), name, project_id=project, roles=roles
        )
    except ValueError as error:
        raise ConfigError(str(error)) from error
    made = {"name": name, "password": password, "project": project, "roles": roles}
    made["environment"] = (
        f"OS_AUTH_TYPE=http_basic OS_ENDPOINT={endpoint(settings)} "
        f"OS_USERNAME={name} OS_PASSWORD={password}"
    )
    show_one(options, made, {k: v for k, v in made.items() if k != "environment"})
    if options.for_people:
        # By itself, so that it can be copied whole.
        typer.echo(f"\n{made['environment']}")


def list_(options: Global) -> None:
    """List each user's name, project and roles."""
    text = Path(options.load().api.users_file).read_text()
    lines = [line.split(":") for line in text.splitlines() if not line.startswith("#")]
    found = [
        {"name": name, "project": project, "roles": roles.split(",")}
        for name, _hash, project, roles in (parts for parts in lines if len(parts) == 4)
    ]
    show_list(options, found, "name project roles")
