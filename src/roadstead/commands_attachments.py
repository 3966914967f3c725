"""Commands of the hypervisor road: hand a share to a VM, take it back, see who has what."""

import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from roadstead.model.ids import is_uuid
from roadstead.model.states import AttachmentState
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
# In the order in which the journal has them.
_STEPS = {
    "attach": ("grant", "mount", "bind", "plug"),
    "detach": ("unplug", "unbind", "unmount", "revoke"),
}

NoWaitOption = Annotated[bool, typer.Option("--no-wait", help="Return as soon as it is accepted.")]
Vm = Annotated[str, typer.Argument(help="Its id or name.", metavar="VM")]


def register(app: typer.Typer) -> None:
    """The commands are the application's."""
    for command in (attach, detach, attachments, vms):
        app.command()(command)


def attach(
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
    cloud: CloudOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    state: StateOption = None,
) -> None:
    """Hand a share to a VM through its hypervisor, and tell how to mount it in the guest."""
    with api(cloud, config, state) as asked:
        wanted = {
            "share_id": asked.share_id(share),
            "vm": vm,
            "access_level": "ro" if read_only else "rw",
            "driver": driver,
            "cache": cache,
            "cold": cold,
            **({} if tag is None else {"tag": tag}),
        }
        found = asked.post("/attachments", {"attachment": wanted})["attachment"]
        if not no_wait:
            found = _wait_attached(asked, found)
    good = found["state"] not in _BAD
    if as_json:
        print_json(found)
    else:
        print_facts(_shown(found))
        if good:
            # By itself, so that it can be copied whole.
            typer.echo(f"in the guest:\n  {found['mount_command']}")
    if not good:
        raise typer.Exit(1)


def detach(
    what: Annotated[
        list[str], typer.Argument(help="An attachment's id, or a share and a VM.", metavar="WHAT")
    ],
    force: Annotated[
        bool, typer.Option("--force", help="Power the VM off if it does not let go (9p).")
    ] = False,
    no_wait: NoWaitOption = False,
    cloud: CloudOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    state: StateOption = None,
) -> None:
    """Take a share back from a VM: `detach ATTACHMENT_ID` or `detach SHARE VM`."""
    with api(cloud, config, state) as asked:
        attachment_id = _attachment_id(asked, what)
        query = {"force": "true"} if force else {}
        found = asked.delete(f"/attachments/{attachment_id}", **query)["attachment"]
        if not no_wait:
            _wait_detached(asked, found)
            found["state"] = "gone"
    if as_json:
        print_json(found)
    else:
        print_facts({"attachment": found["id"], "vm": found["vm_name"], "state": found["state"]})


def attachments(
    share: Annotated[str | None, typer.Option(help="Of this share.", show_default=False)] = None,
    vm: Annotated[str | None, typer.Option(help="Of this VM.", show_default=False)] = None,
    all_projects: Annotated[
        bool, typer.Option("--all-projects", help="Everybody's, for administrators.")
    ] = False,
    cloud: CloudOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    state: StateOption = None,
) -> None:
    """List which VM has which share, in which state."""
    with api(cloud, config, state) as asked:
        wanted: dict[str, object] = {"share_id": asked.share_id(share) if share else None, "vm": vm}
        if all_projects:
            wanted["all_projects"] = 1
        found = asked.get("/attachments", **wanted)["attachments"]
    if as_json:
        print_json(found)
        return
    names = "id share_id vm_name state access_level driver cache tag host error".split()
    print_table(names, ([one.get(name) for name in names] for one in found))


def vms(
    hosts: Annotated[
        str | None,
        typer.Option(
            "--hosts", help="Where this VM's attachments would work.", metavar="VM",
            show_default=False,
        ),
    ] = None,
    cloud: CloudOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    state: StateOption = None,
) -> None:  # fmt: skip
    """List the VMs that shares can be attached to; with --hosts, the hosts that fit one of them."""
    with api(cloud, config, state) as asked:
        if hosts is None:
            found = asked.get("/vms")["vms"]
        else:
            found = asked.get(f"/vms/{_quoted(hosts)}/hosts")["placement"]
    if as_json:
        print_json(found)
    elif hosts is None:
        names = "id name project_id running shared_memory free_ports host".split()
        print_table(names, ([one.get(name) for name in names] for one in found))
    else:
        fits = [(host, "yes", "") for host in found["compatible"]]
        unfit = [(one["host"], "NO", "; ".join(one["reasons"])) for one in found["incompatible"]]
        print_table(("host", "fits", "why not"), [*fits, *unfit])


# --- waiting ------------------------------------------------------------------------------------


def _wait_attached(asked: "Client", found: Mapping[str, Any]) -> Mapping[str, Any]:
    """The attachment when it is no longer on its way."""

    def look() -> Mapping[str, Any] | None:
        now = asked.get(f"/attachments/{found['id']}")["attachment"]
        return None if now["state"] == AttachmentState.ATTACHING else now

    return _watched(asked, found, "attach", look)


def _wait_detached(asked: "Client", found: Mapping[str, Any]) -> None:
    """The attachment is gone; the command ends when the guest does not let go."""
    from roadstead.client import ApiError

    def look() -> Mapping[str, Any] | None:
        try:
            now = asked.get(f"/attachments/{found['id']}")["attachment"]
        except ApiError as error:
            if error.status == 404:
                return found
            raise
        if now["state"] == AttachmentState.ERROR:
            fail(f"{found['id']} could not be detached: {now['error']}")
        return None

    _watched(asked, found, "detach", look)


def _watched(
    asked: "Client",
    found: Mapping[str, Any],
    verb: str,
    look: Callable[[], Mapping[str, Any] | None],
) -> Mapping[str, Any]:
    """What `look` gives once it gives something; meanwhile a terminal shows the step at work."""
    from rich.console import Console
    from rich.markup import escape

    console = Console(stderr=True)
    end = time.monotonic() + _WAIT_SECONDS
    with console.status(f"{verb}: accepted") as status:
        while (seen := look()) is None:
            operation = _operation(asked, found, verb)
            if console.is_terminal:
                status.update(escape(_progress(verb, operation)))
            why = str(operation.get("error") or "")
            if verb == "detach" and found["driver"] == "9p" and why:
                fail(
                    f"{found['id']} stays until the VM stops ({why}). It will be gone by itself "
                    "then; with --force the VM is powered off now"
                )
            if time.monotonic() > end:
                fail(f"still busy with {verb} of {found['id']}: {why or 'no error so far'}")
            time.sleep(_POLL_SECONDS)
    if console.is_terminal:
        print(_progress(verb, _operation(asked, found, verb)), file=sys.stderr)
    return seen


def _operation(asked: "Client", found: Mapping[str, Any], verb: str) -> Mapping[str, Any]:
    """The newest operation of that kind on the attachment; empty when there is none."""
    wanted = {"share_id": found["share_id"], "verb": f"attachment.{verb}", "all_projects": 1}
    rows = asked.get("/operations", **wanted)["operations"]
    nothing: Mapping[str, Any] = {}
    return next((row for row in rows if row["resource_id"] == found["id"]), nothing)


def _progress(verb: str, operation: Mapping[str, Any]) -> str:
    """`attach: grant ok, mount ok, bind …`, with what it waits for."""
    done = set(operation.get("steps_done", ()))
    words: list[str] = []
    for step in _STEPS[verb]:
        words.append(f"{step} ok" if step in done else f"{step} …")
        if step not in done:
            break
    why = f" ({operation['error']})" if operation.get("error") else ""
    return f"{verb}: {', '.join(words)}{why}"


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


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")


def _shown(found: Mapping[str, Any]) -> dict[str, object]:
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
