"""Commands about one share: what leads to it, and whether it works."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from roadstead.cli.options import Global, command
from roadstead.cli.terminal import Share, connect, finished, show_one
from roadstead.model.states import Verdict


def register(app: typer.Typer) -> None:
    """The commands are the application's."""
    command(app, explain)
    command(app, probe)


def explain(
    options: Global,
    share: Share,
    client: Annotated[
        str | None, typer.Option(help="The address of a VM.", show_default=False)
    ] = None,
    vm: Annotated[
        str | None,
        typer.Option(help="A VM, by id or name: the way through its host.", show_default=False),
    ] = None,
) -> None:
    """Tell how a share is reached, hop by hop, and which rule admits the client."""
    asked = connect(options)
    where = f"/shares/{asked.share_id(share)}/explain"
    found = asked.get(where, client=client, vm=vm)["explanation"]
    facts = {
        "share": f"{found['name'] or found['share_id']} ({found['status']})",
        "road": found["road"],
        "isolation": found["isolation"],
        "backend": found.get("backend"),
        "addresses": ", ".join(found["addresses"]) or None,
        "paths": "\n".join(found["paths"]) or None,
        "size": f"{found['size_gib']} GiB; project: {_quota(found['quota']['gigabytes'])}",
        "client": _client(found),
    }
    hops = [{"hop": h["name"], "ok": _MARKS[h["ok"]], "what": h["what"]} for h in found["hops"]]
    show_one(options, found, facts, below=("hop ok what", hops))


def probe(options: Global, share: Share) -> None:
    """Really connect to a share, as a stranger and as a guest; 0 when both get what they should."""
    asked = connect(options)
    share_id = asked.share_id(share)
    finished(asked, asked.post(f"/shares/{share_id}/probe")["probe"]["operation_id"])
    found = asked.get(f"/shares/{share_id}/probe")["probe"]
    facts = {k: found[k] for k in ("verdict", "problem", "note", "finished_at")}
    names = "server source expected outcome milliseconds nfs_status detail"
    show_one(options, found, facts, below=(names, found["attempts"]))
    raise typer.Exit(0 if found["verdict"] == Verdict.GOOD else 1)


_MARKS = {True: "ok", False: "NO", None: "-"}


def _quota(use: Mapping[str, int]) -> str:
    most = "no limit" if use["limit"] < 0 else f"of {use['limit']} GiB"
    return f"{use['in_use'] + use['reserved']} GiB {most}"


def _client(found: Mapping[str, Any]) -> str | None:
    if found["client"] is None:
        return None
    level = f" ({found['level']})" if found["verdict"] in ("admitted", "attached") else ""
    return f"{found['client']}: {found['verdict']}{level}"
