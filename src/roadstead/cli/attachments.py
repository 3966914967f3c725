"""Commands of the hypervisor road: hand a share to a VM, take it back, see who has what."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from roadstead.cli.options import Global, command, fail
from roadstead.cli.terminal import Row, Share, connect, finished, show_list, show_one
from roadstead.model.ids import is_uuid
from roadstead.model.states import AttachmentState, OperationState

if TYPE_CHECKING:
    from roadstead.cli.client import Client

NoWaitOption = Annotated[bool, typer.Option("--no-wait", help="Return as soon as it is accepted.")]
Vm = Annotated[str, typer.Argument(help="Its id or name.", metavar="VM")]


def register(app: typer.Typer) -> None:
    """The commands are the application's."""
    for run in (attach, detach, attachments, vms):
        command(app, run)


def attach(
    options: Global,
    share: Share,
    vm: Vm,
    read_only: Annotated[bool, typer.Option("--read-only", help="Enforced on the host.")] = False,
    tag: Annotated[
        str | None, typer.Option(help="What the guest mounts by; the share's id if not given.")
    ] = None,
    driver: Annotated[
        Literal["auto", "virtiofs", "9p"], typer.Option(help="auto: virtiofs where it can be.")
    ] = "auto",
    cache: Annotated[
        Literal["never", "auto", "metadata"],
        typer.Option(help="What the guest may keep; more than never can show it old data."),
    ] = "never",
    cold: Annotated[bool, typer.Option("--cold", help="From the VM's next start on.")] = False,
    no_wait: NoWaitOption = False,
) -> None:
    """Hand a share to a VM through its hypervisor, and tell how to mount it in the guest."""
    asked = connect(options)
    wanted = {
        "share_id": asked.share_id(share),
        "vm": vm,
        "access_level": "ro" if read_only else "rw",
        "driver": driver,
        "cache": cache,
        "cold": cold,
        **({} if tag is None else {"tag": tag}),
    }
    found: Row = asked.post("/attachments", {"attachment": wanted})["attachment"]
    if not no_wait:
        _wait_attached(asked, found)
        found = asked.get(f"/attachments/{found['id']}")["attachment"]
    good = found["state"] not in _BAD
    show_one(options, found, _facts(found))
    if options.for_people and good:
        # By itself, so that it can be copied whole.
        typer.echo(f"in the guest:\n  {found['mount_command']}")
    raise typer.Exit(0 if good else 1)


def detach(
    options: Global,
    what: Annotated[
        list[str], typer.Argument(help="An attachment's id, or a share and a VM.", metavar="WHAT")
    ],
    force: Annotated[
        bool, typer.Option("--force", help="Power the VM off if it does not let go (9p).")
    ] = False,
    no_wait: NoWaitOption = False,
) -> None:
    """Take a share back from a VM: `detach ATTACHMENT_ID` or `detach SHARE VM`."""
    asked = connect(options)
    attachment_id = _attachment_id(asked, what)
    query = {"force": "true"} if force else {}
    found: Row = asked.delete(f"/attachments/{attachment_id}", **query)["attachment"]
    if not no_wait:
        _wait_detached(asked, found)
        found = {**found, "state": "gone"}
    facts = {"attachment": found["id"], "vm": found["vm_name"], "state": found["state"]}
    show_one(options, found, facts)


def attachments(
    options: Global,
    share: Annotated[str | None, typer.Option(help="Of this share.", show_default=False)] = None,
    vm: Annotated[str | None, typer.Option(help="Of this VM.", show_default=False)] = None,
    all_projects: Annotated[
        bool, typer.Option("--all-projects", help="Everybody's, for administrators.")
    ] = False,
) -> None:
    """List which VM has which share, in which state."""
    asked = connect(options)
    wanted: dict[str, object] = {"share_id": asked.share_id(share) if share else None, "vm": vm}
    if all_projects:
        wanted["all_projects"] = 1
    found = asked.get("/attachments", **wanted)["attachments"]
    show_list(options, found, "id share_id vm_name state access_level driver cache tag host error")


def vms(
    options: Global,
    hosts: Annotated[
        str | None,
        typer.Option(
            "--hosts", help="Where this VM's attachments would work.", metavar="VM",
            show_default=False,
        ),
    ] = None,
) -> None:  # fmt: skip
    """List the VMs that shares can be attached to; with --hosts, the hosts that fit one of them."""
    asked = connect(options)
    if hosts is None:
        found = asked.get("/vms")["vms"]
        show_list(options, found, "id name project_id running shared_memory free_ports host")
        return
    from roadstead.cli.client import quoted

    placement = asked.get(f"/vms/{quoted(hosts)}/hosts")["placement"]
    fit = [{"host": host, "fits": "yes", "why_not": ""} for host in placement["compatible"]]
    unfit = [
        {"host": one["host"], "fits": "NO", "why_not": "; ".join(one["reasons"])}
        for one in placement["incompatible"]
    ]
    show_list(options, [*fit, *unfit], "host fits why_not", whole=placement)


# --- waiting ------------------------------------------------------------------------------------


def _wait_attached(asked: "Client", found: Row) -> None:
    """It is attached; when it could not be, the command ends and tells what remains."""
    from roadstead.cli.client import OperationFailed

    try:
        finished(asked, _operation_id(asked, found, "attachment.attach"))
    except OperationFailed as error:
        fail(f"{error}; the attachment stays in error until `roadstead detach {found['id']}`")


def _wait_detached(asked: "Client", found: Row) -> None:
    """It is gone; the command ends when the guest does not let go."""

    def look(operation: Row) -> None:
        if (
            found["driver"] == "9p"
            and operation["error"]
            and operation["state"] != OperationState.DONE
        ):
            fail(
                f"{found['id']} stays until the VM stops ({operation['error']}). It will be gone "
                "by itself then; with --force the VM is powered off now"
            )

    finished(asked, _operation_id(asked, found, "attachment.detach"), look=look)


def _operation_id(asked: "Client", found: Row, verb: str) -> str:
    """Of the newest operation of that kind on the attachment."""
    wanted = {"resource_id": found["id"], "verb": verb, "limit": 1, "all_projects": 1}
    return str(asked.get("/operations", **wanted)["operations"][0]["id"])


# --- wording ------------------------------------------------------------------------------------


def _attachment_id(asked: "Client", what: list[str]) -> str:
    """The attachment meant by its id, or by its share and VM."""
    if len(what) == 1 and is_uuid(what[0]):
        return what[0]
    if len(what) != 2:
        fail("name an attachment by its id, or a share and a VM")
    share, vm = what
    wanted = {"share_id": asked.share_id(share), "vm": vm, "all_projects": 1}
    found = asked.get("/attachments", **wanted)["attachments"]
    if len(found) != 1:
        fail(f"share {share!r} has {len(found) or 'no'} attachments to VM {vm!r}")
    return str(found[0]["id"])


def _facts(found: Row) -> dict[str, object]:
    return {
        "attachment": found["id"],
        "vm": f"{found['vm_name']} ({found['vm_id']})",
        "state": _STATES.get(found["state"], found["state"]),
        "error": found["error"],
        "device": f"{found['driver']}, {found['access_level']}, cache {found['cache']}",
        "locks": found["locks"],
    }


_BAD = (AttachmentState.ERROR, AttachmentState.BROKEN)
_STATES: dict[str, str] = {
    AttachmentState.INACTIVE: "inactive: the VM has it from its next start on",
    AttachmentState.BROKEN: "broken: its daemon died; stop and start the VM",
}
