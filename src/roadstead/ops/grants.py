"""The compute host's own access rule on a share: made before the first mount, removed after the
last device. It is a rule like any other, except that users cannot remove it while it is needed."""

from roadstead.engine.base import Dispatch
from roadstead.model.access import AccessRule
from roadstead.model.attachments import Grant
from roadstead.model.errors import DriverError, Transient
from roadstead.model.ids import new_id
from roadstead.model.shares import ShareInstance
from roadstead.model.states import ACCESS_PENDING, AccessState
from roadstead.ops.begin import Act, Ourselves, acting
from roadstead.ops.subjects import of_rule
from roadstead.roads.hypervisor import Compute
from roadstead.store import access
from roadstead.store import attachments as store
from roadstead.store.db import Database, Tx, utcnow
from roadstead.store.scope import everyone


class Grants:
    """Grants of one compute host."""

    def __init__(self, db: Database, compute: Compute, engine: Dispatch) -> None:
        self._db, self._compute, self._engine = db, compute, engine

    def ensure(self, instance: ShareInstance, level: str, user_id: str) -> None:
        """The backend admits this host at that level or better. Transient until the rule is in
        force; DriverError when it cannot be."""
        if self._compute.is_local(instance):
            return
        with acting(self._db, self._engine, Ourselves(user_id=user_id)) as act:
            rule = self._rule(act.tx, instance)
            if rule is None:
                self._make(act, instance, level)
            elif rule.state == AccessState.ERROR:
                raise DriverError(f"the backend did not admit host {self._compute.host}")
            elif rule.state == AccessState.ACTIVE:
                if rule.access_level == "rw" or level == "ro":
                    return
                more = {"access_level": "rw"}
                act.begin("access.update", of_rule(rule, instance), columns=more)
        raise Transient(f"waiting until the backend admits host {self._compute.host}")

    def ensure_absent(self, instance: ShareInstance, user_id: str) -> None:
        """This host's rule is gone, unless a user had made it. Nothing happens while somebody
        needs it. Transient until it is gone."""
        host = self._compute.host
        lock, by = self._compute.share_lock(instance.share_id), Ourselves(user_id=user_id)
        with acting(self._db, self._engine, by, lock=lock) as act:
            tx = act.tx
            grant = store.find_grant(tx, instance.share_id, host)
            if grant is None or store.users(tx, instance.share_id, host):
                return
            rule = access.get(tx, everyone(), grant.access_rule_id)
            if rule is None or grant.adopted:
                store.delete_grant(tx, instance.share_id, host)
                return
            if rule.state not in ACCESS_PENDING:
                act.begin("access.deny", of_rule(rule, instance))
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

    def _make(self, act: Act, instance: ShareInstance, level: str) -> None:
        address = self._compute.storage_address
        rule = access.find_target(act.tx, instance.share_id, "ip", address)
        adopted = rule is not None
        if rule is None:
            rule = AccessRule(
                id=new_id(),
                share_id=instance.share_id,
                access_type="ip",
                access_to=address,
                access_level=level,
                state=AccessState.QUEUED_TO_APPLY,
                metadata={"reason": "attachments of VMs"},
                created_at=utcnow(),
            )
            access.insert(act.tx, rule)
            act.begin("access.apply", of_rule(rule, instance))
        grant = Grant(
            share_id=instance.share_id,
            host=self._compute.host,
            access_rule_id=rule.id,
            adopted=adopted,
        )
        store.insert_grant(act.tx, grant)
