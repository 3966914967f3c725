"""What the commands that ask the API have in common: a client, and how they print.

Tables are printed by rich, which is imported when one is, so that other commands start without it.
"""

import json
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from roadstead.options import fail, load_or_fail

if TYPE_CHECKING:
    from roadstead.client import Client

CloudOption = Annotated[
    str | None,
    typer.Option(
        "--cloud",
        help="A cloud of clouds.yaml; without it OS_CLOUD, OS_ENDPOINT …, or roadstead-admin.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="For programs.")]
Share = Annotated[str, typer.Argument(help="Its id or name.", metavar="SHARE")]


@contextmanager
def api(cloud: str | None, config: Path | None, state: Path | None) -> Generator["Client"]:
    """A client; what it is refused ends the command."""
    from roadstead.client import connect
    from roadstead.model.errors import RoadsteadError

    settings = load_or_fail(config, state)
    try:
        yield connect(settings, cloud)
    except RoadsteadError as error:
        fail(str(error))


def print_json(found: object) -> None:
    """For programs."""
    typer.echo(json.dumps(found, indent=2))


def print_facts(facts: Mapping[str, object]) -> None:
    """A line for each that is not None."""
    _print_grid((), [(name, value) for name, value in facts.items() if value is not None])


def print_table(names: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """The rows below their head."""
    _print_grid(tuple(names), rows)


def _print_grid(names: tuple[str, ...], rows: Iterable[Iterable[object]]) -> None:
    """With a head if there are names. Nothing in a value is taken for markup."""
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    console = Console()
    if not console.is_terminal:
        # Nobody is there to widen the window, and a cut id is of no use.
        console.width = 240
    # Folded where it is too wide: a cut id is of no use here either.
    columns = (Column(name, overflow="fold") for name in names)
    table = Table(*columns, show_header=bool(names), box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row))
    console.print(table)


def _cell(value: object) -> str:
    if isinstance(value, list):
        return ",".join(map(str, cast("list[object]", value)))
    return "" if value is None else str(value)
