"""Recipes of access rules.

A rule is never applied alone: each recipe applies the share's whole set, read inside the share's
lock, so that two rules added at one moment both end up in force whatever the order (LP 1626249).
"""

from roadstead.model.errors import ConfigError, DriverError, NotFound
from roadstead.ops.recipe import Recipe, Run, Step
from roadstead.roads import serving
from roadstead.store import access as store
from roadstead.store.db import Tx


def _apply(run: Run) -> str | None:
    """The access key, if the backend gave one. DriverError 021 when it cannot express the rule."""
    outcomes = _apply_set(run)
    mine = outcomes.get(run.operation.resource_id)
    if mine is not None and mine[0] is not None:
        raise DriverError(mine[0], detail_id="021")
    return mine[1] if mine else None


def _apply_set(run: Run) -> dict[str, tuple[str | None, str | None]]:
    with run.backend.share_lock(run.instance.id):
        with run.db.read() as tx:
            rules = store.in_share(tx, run.instance.share_id)
        outcomes = serving.ensure_admitted(run.backend, run.instance, rules)
    return {o.rule_id: (o.problem, o.access_key) for o in outcomes}


def _withdraw(run: Run) -> None:
    try:
        _apply_set(run)
    except NotFound:
        # No export: nobody is admitted, which is what was asked for.
        return


def _record_key(run: Run, tx: Tx, key: str | None) -> None:
    if key is None:
        return
    if run.backend.secrets is None:
        raise ConfigError("secrets_file: there is no key to seal an access key with")
    store.update_by_id(tx, run.operation.resource_id, access_key=run.backend.secrets.seal(key))


APPLY = Recipe(
    verb="access.apply",
    steps=(Step(name="access", do=_apply, record=_record_key),),
)
UPDATE = Recipe(
    verb="access.update",
    steps=(Step(name="access", do=_apply, record=_record_key),),
)
DENY = Recipe(
    verb="access.deny",
    steps=(Step(name="access", do=_withdraw),),
)
