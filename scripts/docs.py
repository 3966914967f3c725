"""Prints into docs/ what the code's tables say: `make docs`.

A test compares each file with its printer. To print one more page or section, add a row to PRINTED.
"""

import importlib
import json
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, NamedTuple

import typer

from roadstead.api import openapi, policy_reference
from roadstead.api.routes import ROUTES
from roadstead.api.routes_v1 import ROUTES_V1
from roadstead.drivers import reference as drivers_reference
from roadstead.model import drift, states_reference

DOCS = Path(__file__).parents[1] / "docs"


class Printed(NamedTuple):
    file: str
    printer: Callable[[], str]
    section: str = ""  # between <!-- SECTION: … --> and <!-- end of SECTION -->; "" = all of it


def policy() -> str:
    return policy_reference.page([*ROUTES, *ROUTES_V1])


def openapi_document() -> str:
    return json.dumps(openapi.document([*ROUTES, *ROUTES_V1]), indent=1) + "\n"


def commands() -> str:
    rows = [f"| `{usage}` | {text} |" for usage, text in _commands(_application(), "roadstead")]
    return "\n".join(["| command | what it does |", "|---|---|", *rows])


def drift_kinds() -> str:
    rows = [f"| `{kind}` | {text} |" for kind, text in drift.MEANING.items()]
    return "\n".join(["| drift | what was found, and what was done |", "|---|---|", *rows])


PRINTED = [
    Printed("states.md", states_reference.page),
    Printed("policy.md", policy),
    Printed("openapi.json", openapi_document),
    Printed("operations.md", commands, "commands"),
    Printed("operations.md", drift_kinds, "kinds of drift"),
    Printed("drivers.md", drivers_reference.as_markdown, "options of drivers"),
]


def whole(printed: Printed, now: str) -> str:
    """What the file should hold. ValueError when its section's marks are not there."""
    if not printed.section:
        return printed.printer()
    begin = f"<!-- {printed.section}: printed by `make docs` -->\n"
    end = f"<!-- end of {printed.section} -->\n"
    head, found_begin, rest = now.partition(begin)
    _, found_end, tail = rest.partition(end)
    if not (found_begin and found_end):
        raise ValueError(f"docs/{printed.file} has no section {printed.section}")
    return f"{head}{begin}{printed.printer()}\n{end}{tail}"


def _application() -> Any:
    """The command that is installed, with all below it."""
    (found,) = entry_points(group="console_scripts", name="roadstead")
    loaded = found.load()
    if not isinstance(loaded, typer.Typer):
        loaded = importlib.import_module(found.module).app
    return typer.main.get_command(loaded)


def _commands(command: Any, name: str) -> Iterator[tuple[str, str]]:
    """(usage, first line of its help) of each command."""
    if below := getattr(command, "commands", None):
        for key, one in below.items():
            yield from _commands(one, f"{name} {key}")
        return
    arguments = [_metavar(p) for p in command.params if p.param_type_name == "argument"]
    yield " ".join([name, *arguments]), (command.help or "").strip().split("\n\n")[0]


def _metavar(argument: Any) -> str:
    name = argument.metavar or argument.name.upper()
    return name if argument.required else f"[{name}]"


def main() -> None:
    for printed in PRINTED:
        path = DOCS / printed.file
        now = path.read_text() if path.exists() else ""
        path.write_text(whole(printed, now))


if __name__ == "__main__":
    main()
