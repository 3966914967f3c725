"""Every recipe by its verb."""

from roadstead.ops import access, probe, shares
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
    )
}
