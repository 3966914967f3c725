"""Options that stand before a command's name or after it, and how a command fails."""

import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import msgspec
import typer

from roadstead.config.load import load
from roadstead.config.sections import Config
from roadstead.model.errors import RoadsteadError

_PANEL = "Options of all commands, before their name or after it"
Format = Literal["table", "json", "yaml", "value"]
# What a command is given by name in `takes`.
HERE = ("config", "state")
PRINTING = (*HERE, "output", "column", "json")
ASKING = ("cloud", *PRINTING)


class Global(msgspec.Struct, frozen=True, kw_only=True):
    """What was given of these options. One that follows the command wins over the same before."""

    cloud: str | None = None
    config: Path | None = None
    state: Path | None = None
    output: Format = "table"
    column: tuple[str, ...] = ()

    def load(self) -> Config:
        """The configuration in force. ConfigError when it has an error."""
        from roadstead.roads.registry import check

        config = load(self.config, os.environ, self.state)
        check(config)
        return config

    @property
    def for_people(self) -> bool:
        """The answer is to be told in full, in words."""
        return self.output == "table" and not self.column


def everywhere(
    ctx: typer.Context,
    cloud: Annotated[
        str | None,
        typer.Option(
            "--cloud",
            "--os-cloud",
            help="Who asks: a cloud of clouds.yaml; else OS_… variables, else the admin here.",
            show_default=False,
            rich_help_panel=_PANEL,
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", help="The configuration file.", show_default=False, rich_help_panel=_PANEL
        ),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(
            "--state",
            help="Where everything is kept; over the file.",
            show_default=False,
            rich_help_panel=_PANEL,
        ),
    ] = None,
    output: Annotated[
        Format | None,
        typer.Option(
            "--format",
            "-f",
            help="table for people, the others for programs.",
            show_default=False,
            rich_help_panel=_PANEL,
        ),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            "--column",
            "-c",
            help="Only this field; may be repeated.",
            show_default=False,
            rich_help_panel=_PANEL,
        ),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="The same as -f json.", rich_help_panel=_PANEL)
    ] = False,
) -> None:
    """Roadstead makes shared file systems and brings them to virtual machines."""
    given = {"cloud": cloud, "config": config, "state": state, "output": output}
    ctx.obj = _over(Global(), {**given, "column": column, "json": json})


def _over(before: Global, given: dict[str, Any]) -> Global:
    """`before` with what is given now."""
    if given.pop("json", False):
        given["output"] = "json"
    given["column"] = tuple(given.get("column") or ())
    return msgspec.structs.replace(before, **{k: v for k, v in given.items() if v})


def command(
    app: typer.Typer,
    run: Callable[..., None],
    *,
    name: str | None = None,
    takes: tuple[str, ...] = ASKING,
) -> None:
    """`run` is a command of `app`; its first parameter gets the `Global`, of which those in
    `takes` may follow the command's name. What it raises of ours, or the system refuses, ends it
    with one line and status 1."""

    def invoked(ctx: typer.Context, **given: Any) -> None:
        shared = {name: given.pop(name) for name in takes}
        try:
            run(_over(ctx.obj, shared), **given)
        except RoadsteadError as error:
            fail(str(error))
        except BrokenPipeError:
            raise  # `… | head`: nobody is there to be told
        except OSError as error:
            fail(_refused(error))

    own = [*inspect.signature(run).parameters.values()][1:]
    known = inspect.signature(everywhere).parameters
    shown = inspect.Signature([known["ctx"], *own, *(known[name] for name in takes)])
    invoked.__signature__ = shown  # pyright: ignore[reportFunctionMemberAccess] -- typer reads it
    invoked.__name__, invoked.__doc__ = run.__name__, run.__doc__
    app.command(name)(invoked)


def _refused(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    hint = "; try it as root" if isinstance(error, PermissionError) and os.geteuid() else ""
    return f"{where}{error.strerror or error}{hint}"


def fail(text: str) -> NoReturn:
    """The command ends with status 1 and this line."""
    typer.echo(f"roadstead: {text}", err=True)
    raise typer.Exit(1)
