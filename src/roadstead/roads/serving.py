"""What every road does with a share at its end: the bytes are there, the share is exported at the
backend's place, and to whom its rules admit."""

from collections.abc import Sequence

from roadstead.model.access import AccessRule
from roadstead.model.errors import ConfigError, Transient
from roadstead.model.shares import ShareInstance
from roadstead.model.states import ACCESS_IN_FORCE
from roadstead.model.world import (
    ExportPath,
    ExportRef,
    ExportSpec,
    RuleOutcome,
    RuleSpec,
    ShareSpec,
)
from roadstead.roads.backend import Backend
from roadstead.roads.base import Secrets

GIB = 1 << 30


def export_ref(backend: Backend, instance: ShareInstance) -> ExportRef:
    """The instance's export at the backend's place."""
    return ExportRef(
        instance_id=instance.id, export_id=instance.export_id or 0, place=backend.place
    )


def ensure_bytes(backend: Backend, instance: ShareInstance) -> None:
    """The share's filesystem is there with its size."""
    backend.pool.ensure_share(
        ShareSpec(instance_id=instance.id, size_bytes=instance.size_gib * GIB)
    )


def ensure_served(backend: Backend, instance: ShareInstance) -> list[ExportPath]:
    """The share is exported at the backend's addresses, to whom its rules admitted before."""
    share = backend.pool.find_share(instance.id)
    if share is None:
        raise Transient(f"the filesystem of share instance {instance.id} is not mounted")
    return backend.export.ensure_export(
        ExportSpec(
            instance_id=instance.id,
            export_id=instance.export_id or 0,
            path=share.path,
            proto=instance.proto,
            place=backend.place,
            owner=instance.project_id,
        )
    )


def ensure_unserved(backend: Backend, instance: ShareInstance) -> None:
    """Nobody can reach the share any more."""
    backend.export.ensure_export_absent(export_ref(backend, instance))


def rule_specs(rules: Sequence[AccessRule], secrets: Secrets | None = None) -> list[RuleSpec]:
    """What the export must enforce: the rules that are, or are becoming, active; with the keys
    they were answered with, as far as the secrets' keys open them."""
    return [
        RuleSpec(
            rule_id=rule.id,
            access_type=rule.access_type,
            access_to=rule.access_to,
            access_level=rule.access_level,
            access_key=_unsealed(rule.access_key, secrets),
        )
        for rule in rules
        if rule.state in ACCESS_IN_FORCE
    ]


def ensure_admitted(
    backend: Backend, instance: ShareInstance, rules: Sequence[AccessRule]
) -> list[RuleOutcome]:
    """Exactly the rules in force are enforced; sessions nobody admits any more are cut."""
    return backend.export.ensure_access(
        export_ref(backend, instance), rule_specs(rules, backend.secrets)
    )


def _unsealed(key: str | None, secrets: Secrets | None) -> str | None:
    if key is None or secrets is None:
        return None
    try:
        return secrets.unseal(key)
    except ConfigError:
        return None  # an export that still has its users does not need it
