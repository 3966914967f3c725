"""The recipe of a probe: the share's status stays, the evidence is recorded."""

import datetime

from roadstead.model.access import AccessRule
from roadstead.model.errors import NotFound, RoadsteadError
from roadstead.model.probes import Finding
from roadstead.ops.recipe import Recipe, Run, Step
from roadstead.ops.subjects import Columns
from roadstead.roads import probe
from roadstead.store import access as access_store
from roadstead.store import probes
from roadstead.store.db import Tx, utcnow


def _rules(run: Run) -> list[AccessRule]:
    with run.db.read() as tx:
        return access_store.in_share(tx, run.instance.share_id)


def _probe(run: Run) -> tuple[datetime.datetime, Finding]:
    began = utcnow()
    with run.backend.share_lock(run.instance.id):
        try:
            return began, probe.probe(run.backend, run.instance, _rules(run))
        except NotFound as error:
            # It went while we looked, and with it whom we had admitted.
            return began, Finding(problem=str(error))


def _put_back(run: Run) -> None:
    with run.backend.share_lock(run.instance.id):
        probe.put_back(run.backend, run.instance, _rules(run))


def _record(run: Run, tx: Tx, found: tuple[datetime.datetime, Finding]) -> None:
    began, finding = found
    probes.put(
        tx,
        share_id=run.instance.share_id,
        operation_id=run.operation.id,
        started_at=began,
        finding=finding,
    )


def _failed(run: Run, tx: Tx, error: RoadsteadError) -> Columns:
    _record(run, tx, (run.operation.created_at, Finding(problem=str(error))))
    return {}


PROBE = Recipe(
    verb="share.probe",
    steps=(Step(name="probe", do=_probe, record=_record, undo=_put_back),),
    failed=_failed,
)
