"""What an operation is about: whose it is, which agent's, and where its status is kept."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from roadstead.model.access import AccessRule
from roadstead.model.attachments import Attachment
from roadstead.model.ids import split_pool_name
from roadstead.model.share_networks import ShareServer
from roadstead.model.shares import Share, ShareInstance
from roadstead.store import access, attachments, share_servers, shares
from roadstead.store.db import Tx

# Columns of the resource's row that are written beside its status, in the same statement.
Columns = Mapping[str, Any]


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """One resource, as whoever is about to begin an operation on it has read it."""

    id: str  # by which users know it
    resource_id: str  # by which the journal knows it, and its row
    status: str
    host: str  # the agent that is to carry the operation out; "": nobody could
    project_id: str
    payload: Mapping[str, str]


def _agent(pool_name: str) -> str:
    """ "" of a share that is in no pool."""
    return split_pool_name(pool_name)[0] if pool_name else ""


def of_share(share: Share) -> Subject:
    """The journal knows a share by its instance."""
    return Subject(
        id=share.id,
        resource_id=share.instance_id,
        status=share.status,
        host=_agent(share.host),
        project_id=share.project_id,
        payload={"instance_id": share.instance_id, "share_id": share.id},
    )


def of_rule(rule: AccessRule, of: Share | ShareInstance) -> Subject:
    """An access rule of that share."""
    instance_id = of.instance_id if isinstance(of, Share) else of.id
    return Subject(
        id=rule.id,
        resource_id=rule.id,
        status=rule.state,
        host=_agent(of.host),
        project_id=of.project_id,
        payload={"instance_id": instance_id, "share_id": rule.share_id},
    )


def of_server(server: ShareServer) -> Subject:
    """A share server, whatever shares are on it."""
    return Subject(
        id=server.id,
        resource_id=server.id,
        status=server.status,
        host=server.agent_host,
        project_id=server.project_id,
        payload={"share_server_id": server.id, "share_id": ""},
    )


def of_attachment(attachment: Attachment, instance_id: str, *, host: str = "") -> Subject:
    """An attachment of the share that this instance represents; `host`: another one than that
    where the VM is."""
    return Subject(
        id=attachment.id,
        resource_id=attachment.id,
        status=attachment.state,
        host=host or attachment.host,
        project_id=attachment.project_id,
        payload={"instance_id": instance_id, "share_id": attachment.share_id},
    )


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """Where one kind of resource keeps its status, and how its row goes."""

    column: str
    update: Callable[..., None]  # (tx, resource id, **columns)
    delete: Callable[[Tx, Any], None]  # (tx, the run of its last operation)


def _no_share(tx: Tx, run: Any) -> None:
    shares.delete(tx, run.instance)


def _no_rule(tx: Tx, run: Any) -> None:
    access.delete_by_id(tx, run.operation.resource_id)


def _no_server(tx: Tx, run: Any) -> None:
    share_servers.delete(tx, run.server)


def _no_attachment(tx: Tx, run: Any) -> None:
    attachments.delete(tx, run.attachment)


# By the first half of a verb's name.
KINDS: Mapping[str, Kind] = {
    "share": Kind(column="status", update=shares.set_instance_by_id, delete=_no_share),
    "access": Kind(column="state", update=access.update_by_id, delete=_no_rule),
    "share_server": Kind(column="status", update=share_servers.update_by_id, delete=_no_server),
    "attachment": Kind(column="state", update=attachments.update_by_id, delete=_no_attachment),
}
