"""Commands that ask the API: what leads to a share, whether it works, what is going on."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from roadstead.model.states import OPERATION_ENDED, Verdict
from roadstead.options import ConfigOption, StateOption, fail
from roadstead.terminal import (
    CloudOption,
    JsonOption,
    Share,
    api,
    print_facts,
    print_json,
    print_table,
)

if TYPE_CHECKING:
    from roadstead.client import Client

_WAIT_SECONDS = 120.0
_POLL_SECONDS = 0.1

LimitOption = Annotated[int, typer.Option("--limit", help="The newest so many.", min=0)]


def register(app: typer.Typer) -> None:
    """The commands are the application's."""
    for command in (explain, probe, operations, drift, gateways):
        app.command()(command)


def explain(
    share: Share,
    client: Annotated[
        str | None, typer.Option(help="The address of a VM.", show_default=False)
    ] = None,
    vm: Annotated[
        str | None,
        typer.Option(help="A VM, by id or name: the way through its host.", show_default=False),
    ] = None,
    cloud: CloudOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    state: StateOption = None,
) -> None:
    """Tell how a share is reached, hop by hop, and which rule admits the client."""
    with api(cloud, config, state) as asked:
        where = f"/shares/{asked.share_id(share)}/explain"
        found = asked.get(where, client=client, vm=vm)["explanation"]
    if as_json:
        print_json(found)
        return
    print_facts(
        {
            "share": f"{found['name'] or found['share_id']} ({found['status']})",
            "road": found["road"],
            "isolation": found["isolation"],
            "backend": found.get("backend"),
            "addresses": ", ".join(found["addresses"]) or None,
            "paths": "\n".join(found["paths"]) or None,
            "size": f"{found['size_gib']} GiB; project: {_quota(found['quota']['gigabytes'])}",
            "client": _client(found),
        }
    )
    rows = [(h["name"], _MARKS[h["ok"]], h["what"]) for h in found["hops"]]
    print_table(("hop", "", "what"), rows)


def probe(
    share: Share,
    cloud: CloudOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    state: StateOption = None,
) -> None:
    """Really connect to a share, as a stranger and as a guest; 0 when both get what they should."""
    with api(cloud, config, state) as asked:
        share_id = asked.share_id(share)
        started = asked.post(f"/shares/{share_id}/probe")["probe"]
        _wait(asked, started["operation_id"])
        found = asked.get(f"/shares/{share_id}/probe")["probe"]
    if as_json:
        print_json(found)
    else:
        facts = {k: found[k] for k in ("verdict", "problem", "note", "finished_at")}
        print_facts(facts)
        names = "server source expected outcome milliseconds nfs_status detail".split()
        print_table(names, ([one[name] for name in names] for one in found["attempts"]))
    raise typer.Exit(0 if found["verdict"] == Verdict.GOOD else 1)


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
    with api(cloud, config, state) as asked:
        share_id = asked.share_id(share) if share else None
        wanted = {"share_id": share_id, "state": in_state, "verb": verb, "limit": limit}
        found = asked.get("/operations", all_projects=1, **wanted)["operations"]
    if as_json:
        print_json(found)
        return
    names = "created_at verb share_id state steps_done attempts not_before error".split()
    print_table(names, ([one[name] for name in names] for one in found))


def drift(
    limit: LimitOption = 20,
    cloud: CloudOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    state: StateOption = None,
) -> None:
    """List where the world differed from the database, and what was done about it."""
    with api(cloud, config, state) as asked:
        found = asked.get("/drift", limit=limit)["drift"]
    if as_json:
        print_json(found)
        return
    names = "found_at host kind resource_type resource_id detail action".split()
    print_table(names, ([one[name] for name in names] for one in found))


def gateways(
    cloud: CloudOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    state: StateOption = None,
) -> None:
    """List the gateways in front of filers: whether they work, who passes, and how much."""
    with api(cloud, config, state) as asked:
        found = asked.get("/gateways")["gateways"]
    if as_json:
        print_json(found)
        return
    names = "share_server_id share_network_name host role health sessions".split()
    names += "bytes_in bytes_out uptime_seconds detail".split()
    print_table(names, ([one[name] for name in names] for one in found))


# --- waiting and wording ------------------------------------------------------------------------


def _wait(asked: "Client", operation_id: str) -> None:
    """The operation has ended; the command ends if it takes too long."""
    end = time.monotonic() + _WAIT_SECONDS
    while True:
        found = asked.get(f"/operations/{operation_id}")["operation"]
        if found["state"] in OPERATION_ENDED:
            return
        if time.monotonic() > end:
            why = found["error"] or "no error so far"
            fail(f"operation {operation_id} is still {found['state']} ({why})")
        time.sleep(_POLL_SECONDS)


_MARKS = {True: "ok", False: "NO", None: "-"}


def _quota(use: Mapping[str, int]) -> str:
    most = "no limit" if use["limit"] < 0 else f"of {use['limit']} GiB"
    return f"{use['in_use'] + use['reserved']} GiB {most}"


def _client(found: Mapping[str, Any]) -> str | None:
    if found["client"] is None:
        return None
    level = f" ({found['level']})" if found["verdict"] in ("admitted", "attached") else ""
    return f"{found['client']}: {found['verdict']}{level}"
