"""The command for VMs with attachments that are to migrate."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from roadstead.cli.options import Global, command, fail
from roadstead.cli.terminal import connect, finished, show_list
from roadstead.model.states import OperationState

if TYPE_CHECKING:
    from roadstead.cli.client import Client


def register(app: typer.Typer) -> None:
    """The command is the application's."""
    command(app, prepare_migration)


def prepare_migration(
    options: Global,
    vm: Annotated[str, typer.Argument(help="Its id or name.", metavar="VM")],
    host: Annotated[str, typer.Argument(help="Where it is to go; see `vms --hosts VM`.")] = "",
    cancel: Annotated[bool, typer.Option("--cancel", help="It stays where it is.")] = False,
) -> None:
    """Have another compute host ready for a VM's shares; 0 when the VM can be migrated.

    Migrate it then as always (virsh migrate, Nova). Its attachments follow by themselves.
    """
    from roadstead.cli.client import quoted

    if cancel == bool(host):
        fail("name the host to prepare, or --cancel")
    asked = connect(options)
    path = f"/vms/{quoted(vm)}/migrations"
    if cancel:
        found = asked.delete(path)["migration"]
    else:
        found = asked.post(path, {"migration": {"host": host}})["migration"]
    outcomes = [_outcome(asked, each) for each in found["attachments"]]
    rows = [
        {"attachment": a["id"], "share": a["share_id"], "host": found["host"], **o}
        for a, o in zip(found["attachments"], outcomes, strict=True)
    ]
    whole = {**found, "operations": outcomes}
    show_list(options, rows, "attachment share host state error", whole=whole)
    failed = [each for each in outcomes if each["state"] == OperationState.FAILED]
    if failed:
        fail(f"{len(failed)} of {len(outcomes)} are not ready: try again, or give up by --cancel")


def _outcome(asked: "Client", attachment: Mapping[str, Any]) -> Mapping[str, Any]:
    """The operation on the host, once it has ended."""
    from roadstead.cli.client import OperationFailed

    if attachment["operation_id"] is None:
        return {"state": "stays", "error": None}
    try:
        return finished(asked, attachment["operation_id"])
    except OperationFailed as error:
        return error.operation
