"""Commands that ask the API: what leads to a share, whether it works, what is going on.

Tables are printed by views at the end; rich is imported when one is, so that other commands start
without it.
"""

import json
import time
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from roadstead.options import ConfigOption, StateOption, fail, load_or_fail

if TYPE_CHECKING:
    from roadstead.client import Client

_WAIT_SECONDS = 120.0
_POLL_SECONDS = 0.1

CloudOption = Annotated[
    str | None,
    typer.Option(
        "--cloud",
        help="A cloud of clouds.yaml; without it OS_CLOUD, OS_ENDPOINT …, or roadstead-admin.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="For programs.")]
LimitOption = Annotated[int, typer.Option("--limit", help="The newest so many.", min=0)]
Share = Annotated[str, typer.Argument(help="Its id or name.", metavar="SHARE")]


def register(app: typer.Typer) -> None:
    """The commands are the application's."""
    for command in (explain, probe, operations, drift):
        app.command()(command)


def explain(
    share: Share,
    client: Annotated[
        str | None, typer.Option(help="The address of a VM.", show_default=False)
    ] = None,
    cloud: CloudOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    state: StateOption = None,
) -> None:
    """Tell how a share is reached, hop by hop, and which rule admits the client."""
    with _api(cloud, config, state) as api:
        found = api.get(f"/shares/{api.share_id(share)}/explain", client=client)["explanation"]
    if as_json:
        _print_json(found)
        return
    _print_facts(
        {
            "share": f"{found['name'] or found['share_id']} ({found['status']})",
            "road": found["road"],
            "isolation": found["isolation"],
            "backend": found.get("backend"),
            "addresses": ", ".join(found["addresses"]),
            "paths": "\n".join(found["paths"]),
            "size": f"{found['size_gib']} GiB; project: {_quota(found['quota']['gigabytes'])}",
            "client": _client(found),
        }
    )
    rows = [(h["name"], _MARKS[h["ok"]], h["what"]) for h in found["hops"]]
    _print_table(("hop", "", "what"), rows)


def probe(
    share: Share,
    cloud: CloudOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    state: StateOption = None,
) -> None:
    """Really connect to a share, as a stranger and as a guest; 0 when both get what they should."""
    with _api(cloud, config, state) as api:
        share_id = api.share_id(share)
        started = api.post(f"/shares/{share_id}/probe")["probe"]
        _wait(api, started["operation_id"])
        found = api.get(f"/shares/{share_id}/probe")["probe"]
    if as_json:
        _print_json(found)
    else:
        facts = {k: found[k] for k in ("verdict", "problem", "note", "finished_at")}
        _print_facts(facts)
        names = "server source expected outcome milliseconds nfs_status detail".split()
        _print_table(names, ([one[name] for name in names] for one in found["attempts"]))
    raise typer.Exit(0 if found["verdict"] == "good" else 1)


def operations(
    share: Annotated[str | None, typer.Option(help="Of this share.", show_default=False)] = None,
    in_state: Annotated[
        str | None,
        typer.Option("--in", help="todo, running, undoing, done or failed.", show_default=False),
    ] = None,
    verb: Annotated[
        str | None, typer.Option(help="For example share.create.", show_default=False)
    ] = None,
    limit: LimitOption = 20,
    cloud: CloudOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    state: StateOption = None,
) -> None:
    """List what the agents do, did and wait for, the newest first."""
    with _api(cloud, config, state) as api:
        share_id = api.share_id(share) if share else None
        wanted = {"share_id": share_id, "state": in_state, "verb": verb, "limit": limit}
        found = api.get("/operations", all_projects=1, **wanted)["operations"]
    if as_json:
        _print_json(found)
        return
    names = "created_at verb share_id state steps_done attempts not_before error".split()
    _print_table(names, ([one[name] for name in names] for one in found))


def drift(
    limit: LimitOption = 20,
    cloud: CloudOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    state: StateOption = None,
) -> None:
    """List where the world differed from the database, and what was done about it."""
    with _api(cloud, config, state) as api:
        found = api.get("/drift", limit=limit)["drift"]
    if as_json:
        _print_json(found)
        return
    names = "found_at host kind resource_type resource_id detail action".split()
    _print_table(names, ([one[name] for name in names] for one in found))


# --- the API ----------------------------------------------------------------------------------


@contextmanager
def _api(cloud: str | None, config: Path | None, state: Path | None) -> Generator["Client"]:
    """A client; what it is refused ends the command."""
    from roadstead.client import connect
    from roadstead.model.errors import RoadsteadError

    settings = load_or_fail(config, state)
    try:
        yield connect(settings, cloud)
    except RoadsteadError as error:
        fail(str(error))


def _wait(api: "Client", operation_id: str) -> None:
    """The operation has ended; the command ends if it takes too long."""
    end = time.monotonic() + _WAIT_SECONDS
    while True:
        found = api.get(f"/operations/{operation_id}")["operation"]
        if found["state"] in ("done", "failed"):
            return
        if time.monotonic() > end:
            why = found["error"] or "no error so far"
            fail(f"operation {operation_id} is still {found['state']} ({why})")
        time.sleep(_POLL_SECONDS)


# --- what is printed ----------------------------------------------------------------------------

_MARKS = {True: "ok", False: "NO", None: "-"}


def _quota(use: Mapping[str, int]) -> str:
    most = "no limit" if use["limit"] < 0 else f"of {use['limit']} GiB"
    return f"{use['in_use'] + use['reserved']} GiB {most}"


def _client(found: Mapping[str, Any]) -> str | None:
    if found["client"] is None:
        return None
    level = f" ({found['level']})" if found["verdict"] == "admitted" else ""
    return f"{found['client']}: {found['verdict']}{level}"


def _print_json(found: object) -> None:
    typer.echo(json.dumps(found, indent=2))


def _print_facts(facts: Mapping[str, object]) -> None:
    _print_grid((), [(name, value) for name, value in facts.items() if value is not None])


def _print_table(names: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    _print_grid(tuple(names), rows)


def _print_grid(names: tuple[str, ...], rows: Iterable[Iterable[object]]) -> None:
    """With a head if there are names. Nothing in a value is taken for markup."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not console.is_terminal:
        # Nobody is there to widen the window, and a cut id is of no use.
        console.width = 240
    table = Table(*names, show_header=bool(names), box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row))
    console.print(table)


def _cell(value: object) -> str:
    if isinstance(value, list):
        return ",".join(map(str, cast("list[object]", value)))
    return "" if value is None else str(value)
