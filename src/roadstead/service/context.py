"""Who asks, and what the service works with."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from roadstead.engine.base import Engine
from roadstead.model.errors import Forbidden
from roadstead.store.db import Database
from roadstead.store.scope import Scope, everyone, project


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


class BackendFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the API must know of a configured backend without touching its drivers."""

    name: str
    protocols: tuple[str, ...]


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a service function needs; made once per process."""

    db: Database
    engine: Engine
    default_share_type: str = "default"
    protocols: tuple[str, ...] = ("NFS", "CIFS")
    # roads.network_isolation etc.: project settings, see docs/operations
    isolated_projects: frozenset[str] = frozenset()
    # project id -> CIDRs its rules may name (D-M2); a project not listed may name any but /0
    permitted_cidrs: Mapping[str, tuple[str, ...]] = {}
    settings: Mapping[str, Any] = {}
