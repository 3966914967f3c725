"""Commands that tell what is going on: operations, what the sweep found, gateways."""

from typing import Annotated, Any

import typer

from roadstead.cli.options import Global, command
from roadstead.cli.terminal import connect, show_list
from roadstead.model.states import OperationState

LimitOption = Annotated[int, typer.Option("--limit", help="The newest so many.", min=0)]


def register(app: typer.Typer) -> None:
    """The commands are the application's."""
    for run in (operations, drift, gateways):
        command(app, run)


def operations(
    options: Global,
    share: Annotated[str | None, typer.Option(help="Of this share.", show_default=False)] = None,
    in_state: Annotated[
        OperationState | None,
        typer.Option("--in", help="In this state.", show_default=False),
    ] = None,
    verb: Annotated[
        str | None, typer.Option(help="For example share.create.", show_default=False)
    ] = None,
    limit: LimitOption = 20,
) -> None:
    """List what the agents do, did and wait for, the newest first. Times are UTC."""
    asked = connect(options)
    share_id = asked.share_id(share) if share else None
    wanted = {"share_id": share_id, "state": in_state, "verb": verb, "limit": limit}
    found = asked.get("/operations", all_projects=1, **wanted)["operations"]
    names = "created_at verb share_id state steps attempts not_before error"
    show_list(options, found, names, words={"steps": _steps})


def drift(options: Global, limit: LimitOption = 20) -> None:
    """List where the world differed from the database, and what was done about it."""
    found = connect(options).get("/drift", limit=limit)["drift"]
    show_list(options, found, "found_at host kind resource_type resource_id detail action")


def gateways(options: Global) -> None:
    """List the gateways in front of filers: whether they work, who passes, and how much."""
    found = connect(options).get("/gateways")["gateways"]
    names = "share_server_id share_network_name host role health sessions "
    show_list(options, found, names + "bytes_in bytes_out uptime_seconds detail")


def _steps(steps: list[dict[str, Any]]) -> str:
    """`1/4 mount`: how many are done, and the next one."""
    following = [step["name"] for step in steps if not step["done"]]
    return " ".join([f"{len(steps) - len(following)}/{len(steps)}", *following[:1]])
