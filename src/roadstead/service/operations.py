"""Operations: what is going on, what went wrong, what is waiting."""

from roadstead.model.errors import NotFound
from roadstead.model.operations import Journalled
from roadstead.model.queries import OperationFilter
from roadstead.ops.recipes import RECIPES
from roadstead.service.context import Caller, Service
from roadstead.store import operations as store
from roadstead.store.scope import everyone


def find_all(
    service: Service,
    caller: Caller,
    wanted: OperationFilter,
    *,
    limit: int,
    all_projects: bool = False,
) -> list[Journalled]:
    """The caller's operations that match, newest first; everybody's for an administrator who asks
    so."""
    scope = everyone() if all_projects and caller.is_admin else caller.own
    with service.db.read() as tx:
        return store.find_all(tx, scope, wanted, limit=limit)


def get(service: Service, caller: Caller, operation_id: str) -> Journalled:
    """One operation. NotFound when it is not there, or another project's."""
    with service.db.read() as tx:
        found = store.get(tx, caller.scope, operation_id)
    if found is None:
        raise NotFound(f"operation {operation_id} could not be found")
    return found


def steps(found: Journalled) -> dict[str, bool]:
    """The steps of its recipe in their order, and whether the journal has them. Only those of the
    journal where nobody knows the verb any more."""
    recipe = RECIPES.get(found.operation.verb)
    names = [step.name for step in recipe.steps] if recipe else found.steps_done
    return {name: name in found.steps_done for name in names}
