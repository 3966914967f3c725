"""The compute host's own access rule on a share: made before the first mount, removed after the
last device. It is a rule like any other, except that users cannot remove it while it is needed."""

from roadstead.engine.base import Engine
from roadstead.model.access import AccessRule
from roadstead.model.attachments import Grant
from roadstead.model.errors import DriverError, Transient
from roadstead.model.ids import new_id, split_pool_name
from roadstead.model.operations import Operation
from roadstead.model.shares import ShareInstance
from roadstead.model.states import ACCESS_PENDING
from roadstead.roads.hypervisor import Compute
from roadstead.store import access, operations
from roadstead.store import attachments as store
from roadstead.store.db import Database, Tx, utcnow
from roadstead.store.scope import everyone


class Grants:
    """Grants of one compute host."""

    def __init__(self, db: Database, compute: Compute, engine: Engine) -> None:
        self._db, self._compute, self._engine = db, compute, engine

    def ensure(self, instance: ShareInstance, level: str, project_id: str, user_id: str) -> None:
        """The backend admits this host at that level or better. Transient until the rule is in
        force; DriverError when it cannot be."""
        if self._compute.is_local(instance):
            return
        with self._db.write() as tx:
            rule = self._rule(tx, instance)
            if rule is None:
                self._make(tx, instance, level, project_id, user_id)
            elif rule.state == "error":
                raise DriverError(f"the backend did not admit host {self._compute.host}")
            elif rule.state == "active" and (rule.access_level == "rw" or level == "ro"):
                return
            elif rule.state == "active":
                access.update(tx, rule.id, access_level="rw", state="queued_to_update")
                self._submit(tx, "access.update", rule.id, instance, project_id, user_id)
        self._engine.wake(split_pool_name(instance.host)[0])
        raise Transient(f"waiting until the backend admits host {self._compute.host}")

    def ensure_absent(self, instance: ShareInstance, project_id: str, user_id: str) -> None:
        """This host's rule is gone, unless a user had made it. Nothing happens while somebody
        needs it. Transient until it is gone."""
        host = self._compute.host
        with self._compute.share_lock(instance.share_id), self._db.write() as tx:
            grant = store.find_grant(tx, instance.share_id, host)
            if grant is None or store.users(tx, instance.share_id, host):
                return
            rule = access.get(tx, everyone(), grant.access_rule_id)
            if rule is None or grant.adopted:
                store.delete_grant(tx, instance.share_id, host)
                return
            if rule.state not in ACCESS_PENDING:
                access.update(tx, rule.id, state="queued_to_deny")
                self._submit(tx, "access.deny", rule.id, instance, project_id, user_id)
        self._engine.wake(split_pool_name(instance.host)[0])
        raise Transient(f"waiting until the backend no longer admits host {host}")

    def _rule(self, tx: Tx, instance: ShareInstance) -> AccessRule | None:
        """The rule that holds the grant; a grant whose rule has gone is forgotten."""
        grant = store.find_grant(tx, instance.share_id, self._compute.host)
        if grant is None:
            return None
        rule = access.get(tx, everyone(), grant.access_rule_id)
        if rule is None:
            store.delete_grant(tx, instance.share_id, self._compute.host)
        return rule

    def _make(
        self, tx: Tx, instance: ShareInstance, level: str, project_id: str, user_id: str
    ) -> None:
        address = self._compute.storage_address
        rule = access.find_target(tx, instance.share_id, "ip", address)
        adopted = rule is not None
        if rule is None:
            rule = AccessRule(
                id=new_id(),
                share_id=instance.share_id,
                access_type="ip",
                access_to=address,
                access_level=level,
                state="queued_to_apply",
                metadata={"reason": "attachments of VMs"},
                created_at=utcnow(),
            )
            access.insert(tx, rule)
            self._submit(tx, "access.apply", rule.id, instance, project_id, user_id)
        grant = Grant(
            share_id=instance.share_id,
            host=self._compute.host,
            access_rule_id=rule.id,
            adopted=adopted,
        )
        store.insert_grant(tx, grant)

    def _submit(
        self,
        tx: Tx,
        verb: str,
        rule_id: str,
        instance: ShareInstance,
        project_id: str,
        user_id: str,
    ) -> None:
        operation = Operation(
            id=new_id(),
            verb=verb,
            resource_id=rule_id,
            project_id=project_id,
            user_id=user_id,
            host=split_pool_name(instance.host)[0],
            state="todo",
            payload={"instance_id": instance.id, "share_id": instance.share_id},
            created_at=utcnow(),
        )
        operations.insert(tx, operation)
        self._engine.submit(tx, operation.id, operation.host)
