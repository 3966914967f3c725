"""Every recipe by its verb."""

from roadstead.ops import access, attachments, probe, shares
from roadstead.ops.recipe import Recipe

RECIPES: dict[str, Recipe] = {
    recipe.verb: recipe
    for recipe in (
        shares.CREATE,
        shares.DELETE,
        shares.EXTEND,
        shares.SHRINK,
        probe.PROBE,
        access.APPLY,
        access.UPDATE,
        access.DENY,
        attachments.ATTACH,
        attachments.DETACH,
    )
}
