"""The command for VMs with attachments that are to migrate."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from roadstead.model.states import OPERATION_ENDED, OperationState
from roadstead.options import ConfigOption, StateOption, fail
from roadstead.terminal import CloudOption, JsonOption, api, print_json, print_table

if TYPE_CHECKING:
    from roadstead.client import Client

_WAIT_SECONDS = 120.0
_POLL_SECONDS = 0.1


def register(app: typer.Typer) -> None:
    """The command is the application's."""
    app.command()(prepare_migration)


def prepare_migration(
    vm: Annotated[str, typer.Argument(help="Its id or name.", metavar="VM")],
    host: Annotated[str, typer.Argument(help="Where it is to go; see `vms --hosts VM`.")] = "",
    cancel: Annotated[bool, typer.Option("--cancel", help="It stays where it is.")] = False,
    cloud: CloudOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    state: StateOption = None,
) -> None:
    """Have another compute host ready for a VM's shares; 0 when the VM can be migrated.

    Migrate it then as always (virsh migrate, Nova). Its attachments follow by themselves.
    """
    if cancel == bool(host):
        fail("name the host to prepare, or --cancel")
    path = f"/vms/{quote(vm, safe='')}/migrations"
    with api(cloud, config, state) as asked:
        if cancel:
            found = asked.delete(path)["migration"]
        else:
            found = asked.post(path, {"migration": {"host": host}})["migration"]
        outcomes = [_outcome(asked, each) for each in found["attachments"]]
    failed = [each for each in outcomes if each["state"] == OperationState.FAILED]
    if as_json:
        print_json({**found, "operations": outcomes})
    else:
        rows = zip(found["attachments"], outcomes, strict=True)
        print_table(
            ("attachment", "share", "host", "state", "error"),
            ((a["id"], a["share_id"], found["host"], o["state"], o["error"]) for a, o in rows),
        )
    if failed:
        fail(f"{len(failed)} of {len(outcomes)} are not ready: try again, or give up by --cancel")


def _outcome(asked: "Client", attachment: Mapping[str, Any]) -> Mapping[str, Any]:
    """The operation on the host, once it has ended; the command ends if it takes too long."""
    if attachment["operation_id"] is None:
        return {"state": "stays", "error": None}
    end = time.monotonic() + _WAIT_SECONDS
    while True:
        found: dict[str, Any] = asked.get(f"/operations/{attachment['operation_id']}")["operation"]
        if found["state"] in OPERATION_ENDED:
            return found
        if time.monotonic() > end:
            fail(f"operation {found['id']} is still {found['state']} ({found['error']})")
        time.sleep(_POLL_SECONDS)
