"""How commands print: tables and facts for people; JSON, YAML and plain values for programs.

Tables are printed by rich, which is imported when one is, so that other commands start without it.
"""

import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from roadstead.cli.options import Global

if TYPE_CHECKING:
    from roadstead.cli.client import Client

Share = Annotated[str, typer.Argument(help="Its id or name.", metavar="SHARE")]
Row = Mapping[str, Any]
Words = Mapping[str, Callable[[Any], object]]

_SHORT = 40  # characters
# As the API tells times; to the second is enough for people.
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.\d+")


def connect(options: Global) -> "Client":
    """A client as the user whom the options or the environment name. ConfigError when none is."""
    from roadstead.cli import client

    return client.connect(options.load(), options.cloud)


def show_list(
    options: Global,
    found: Sequence[Row],
    names: str,
    *,
    words: Words | None = None,
    whole: object = None,
) -> None:
    """A row for each that was found, with the columns asked for or else `names`. `words` tell a
    field to people; `whole` is what JSON shows in place of the rows when no column is named."""
    chosen = _chosen(options, names.split(), found)
    if options.output in ("json", "yaml"):
        picked = [{name: one.get(name) for name in chosen} for one in found]
        full = found if whole is None else whole
        _dump(options, picked if options.column else full)
    elif options.output == "value":
        for one in found:
            typer.echo(" ".join(_plain(one.get(name)) for name in chosen))
    else:
        tell = words or {}
        print_table(
            chosen, [[_told(tell, name, one.get(name)) for name in chosen] for one in found]
        )


def show_one(
    options: Global,
    found: Row,
    facts: Mapping[str, object],
    below: tuple[str, Sequence[Row]] | None = None,
) -> None:
    """One object: its fields for programs, or the columns asked for; the facts for people, those
    that are not None, and the table of columns and rows `below` them."""
    chosen = _chosen(options, [*found], [found])
    picked = {name: found.get(name) for name in chosen}
    if options.output in ("json", "yaml"):
        _dump(options, picked)
    elif options.output == "value":
        for value in picked.values():
            typer.echo(_plain(value))
    else:
        shown = facts if options.for_people else picked
        _print_grid((), [(name, value) for name, value in shown.items() if value is not None])
        if below and options.for_people:
            typer.echo()
            names = below[0].split()
            print_table(names, [[row[name] for name in names] for row in below[1]])


def print_table(names: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """The rows below their head."""
    _print_grid(tuple(names), rows)


def finished(
    asked: "Client", operation_id: str, *, look: Callable[[Row], None] | None = None
) -> Row:
    """As `Client.wait`; meanwhile a terminal shows the step at work."""
    if not sys.stderr.isatty():
        return asked.wait(operation_id, look=look)
    from rich.console import Console
    from rich.markup import escape

    from roadstead.cli.client import progress

    console = Console(stderr=True)
    with console.status("accepted") as status:

        def seen(operation: Row) -> None:
            status.update(escape(progress(operation)))
            if look is not None:
                look(operation)

        ended = asked.wait(operation_id, look=seen)
    console.print(progress(ended), markup=False, highlight=False)
    return ended


# --- parts ----------------------------------------------------------------------------------------


def _chosen(options: Global, usual: Sequence[str], found: Sequence[Row]) -> Sequence[str]:
    """The columns asked for, or the usual ones. Where something was found, a column that nothing
    has is a wrong word."""
    known = {*usual, *(name for one in found for name in one)}
    unknown = [name for name in options.column if found and name not in known]
    if unknown:
        raise typer.BadParameter(
            f"there is no {unknown[0]!r}; there are {', '.join(sorted(known))}",
            param_hint="'--column' / '-c'",
        )
    return options.column or usual


def _dump(options: Global, found: object) -> None:
    if options.output == "json":
        import json

        typer.echo(json.dumps(found, indent=2))
    else:
        import yaml

        typer.echo(yaml.safe_dump(found, sort_keys=False, allow_unicode=True), nl=False)


def _told(words: Words, name: str, value: Any) -> object:
    return words[name](value) if name in words else value


def _plain(value: object) -> str:
    """As `openstack -f value` prints it."""
    return _cell(value, nothing="None", times=False)


def _cell(value: object, *, nothing: str = "", times: bool = True) -> str:
    if value is None:
        return nothing
    if isinstance(value, list):
        return ",".join(map(str, cast("list[object]", value)))
    text = str(value)
    return _TIME.sub(r"\1", text) if times else text


def _print_grid(names: tuple[str, ...], rows: Iterable[Iterable[object]]) -> None:
    """With a head if there are names. Nothing in a value is taken for markup."""
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Column, Table
    from rich.text import Text

    cells = [[_cell(value) for value in row] for row in rows]
    columns = [
        Column(name, overflow="fold", min_width=_least([name, *column]))
        for name, column in zip_longest(names, zip(*cells, strict=True), fillvalue="")
    ]
    table = Table(*columns, show_header=bool(names), box=None, pad_edge=False)
    for row in cells:
        table.add_row(*map(Text, row))
    console = Console()
    # No id is cut or folded: they are to be copied. Nobody widens the window of a pipe.
    boundless = console.options.update(max_width=sys.maxsize)
    least = Measurement.get(console, boundless, table).minimum
    console.width = max(console.width if console.is_terminal else 240, least)
    with console.capture() as captured:
        console.print(table)
    # Without the spaces that fill lines up: a narrower window would fold those, too.
    for line in captured.get().splitlines():
        typer.echo(line.rstrip())


def _least(column: Iterable[str]) -> int | None:
    """Ids, times and numbers are on one line each; sentences may take several."""
    longest = max(map(len, column))
    return longest if longest <= _SHORT else None
