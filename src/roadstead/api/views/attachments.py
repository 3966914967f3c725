"""Attachments, VMs and compute hosts."""

from typing import Any

from roadstead.api.call import Call
from roadstead.api.views.common import when
from roadstead.explain.vm import LOCKS
from roadstead.model.attachments import Attachment, ComputeHost, Vm
from roadstead.model.hosts import mount_command
from roadstead.service.vm_moves import Migration


def attachment(call: Call, found: Attachment) -> dict[str, Any]:
    """One attachment, with the command to type in the guest. Hosts are for administrators."""
    body: dict[str, Any] = {
        "id": found.id,
        "project_id": found.project_id,
        "user_id": found.user_id,
        "share_id": found.share_id,
        "vm_id": found.vm_id,
        "vm_name": found.vm_name,
        "tag": found.tag,
        "access_level": found.access_level,
        "driver": found.driver,
        "cache": found.cache,
        "cold": found.cold,
        "state": found.state,
        "error": found.error,
        "locks": LOCKS.get(found.locks, found.locks) or None,
        "mount_command": mount_command(
            found.driver,
            found.tag,
            read_only=found.access_level == "ro",
            cache=found.cache,
        ),
        "request_id": found.request_id,
        "created_at": when(found.created_at),
        "updated_at": when(found.updated_at),
    }
    if call.caller.is_admin:
        body["host"] = found.host
        body["target_host"] = found.target_host
    return body


def vm(call: Call, found: Vm) -> dict[str, Any]:
    """One VM as its host reports it."""
    body: dict[str, Any] = {
        "id": found.id,
        "name": found.name,
        "project_id": found.project_id,
        "running": found.running,
        "shared_memory": found.shared_memory,
        "free_ports": found.free_ports,
        "updated_at": when(found.updated_at),
    }
    if call.caller.is_admin:
        body["host"] = found.host
    return body


def placement(found: list[tuple[ComputeHost, list[str]]]) -> dict[str, Any]:
    """Hosts that would do, and those that would not, each with its reasons (H-M4)."""
    return {
        "compatible": [host.host for host, reasons in found if not reasons],
        "incompatible": [
            {"host": host.host, "reasons": reasons} for host, reasons in found if reasons
        ],
    }


def migration(call: Call, found: Migration) -> dict[str, Any]:
    """A VM's attachments on their way, each with the operation that prepares its host."""
    return {
        "vm_id": found.vm.id,
        "vm_name": found.vm.name,
        "source_host": found.vm.host,
        "host": found.host,
        "attachments": [
            {**attachment(call, each), "operation_id": operation_id}
            for each, operation_id in found.attachments
        ],
    }
