"""Who asks, and what the service works with."""

import datetime
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

import msgspec

from roadstead.engine.base import Engine
from roadstead.model.errors import ConfigError, Forbidden
from roadstead.model.messages import KEPT
from roadstead.model.network_pools import NetworkPool
from roadstead.model.quotas import DEFAULT_LIMITS
from roadstead.ops.begin import Act, Asker, acting
from roadstead.store.db import Database
from roadstead.store.scope import Scope, everyone, project
from roadstead.store.secrets import SecretBox


def _nobody(_rule: str) -> bool:
    return False


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """An authenticated request. `can` asks the policy; everything else is what auth found."""

    user_id: str
    project_id: str
    roles: tuple[str, ...] = ()
    request_id: str = ""
    is_admin: bool = False
    can: Callable[[str], bool] = _nobody

    @property
    def scope(self) -> Scope:
        """What it may reach by id: an administrator everything, others their project."""
        return everyone() if self.is_admin else project(self.project_id)

    @property
    def own(self) -> Scope:
        """Only its own project, also for administrators: what a plain list shows."""
        return project(self.project_id)

    def require(self, rule: str) -> None:
        """Forbidden unless the policy admits the caller."""
        if not self.can(rule):
            raise Forbidden(f"policy does not allow {rule}")


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a service function needs; made once per process."""

    db: Database
    engine: Engine
    default_share_type: str = "default"
    protocols: tuple[str, ...] = ("NFS", "CIFS")
    # of a project without limits of its own, where the quota class `default` has none either
    default_limits: Mapping[str, int] = msgspec.field(default_factory=DEFAULT_LIMITS.copy)
    # projects whose shares must be isolated by more than access rules (D-M5)
    isolated_projects: frozenset[str] = frozenset()
    # project id -> CIDRs its rules may name (D-M2); a project not listed may name any
    permitted_cidrs: Mapping[str, tuple[str, ...]] = {}
    # how many shares a project's VMs may have attached; -1 = any number
    attachments_per_project: int = 100
    # 0.0.0.0/0 and ::/0 only where the share type says so (D-M2)
    refuse_any_address: bool = True
    # how long users can read what went wrong
    keep_messages: datetime.timedelta = KEPT
    # `[networks.<name>]`: segments that share networks may name; none = any id is taken as it is
    networks: Mapping[str, NetworkPool] = {}
    # seals what must not be in the database in clear
    secrets: SecretBox | None = None

    def acting(self, caller: Asker) -> AbstractContextManager[Act]:
        """A write transaction in which operations may begin for that caller."""
        return acting(self.db, self.engine, caller)

    def box(self) -> SecretBox:
        """What seals passwords. ConfigError without keys."""
        if self.secrets is None:
            raise ConfigError("secrets_file: there is no key to seal passwords with")
        return self.secrets
