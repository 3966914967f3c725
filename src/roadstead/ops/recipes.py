"""Every recipe by its verb."""

from roadstead.ops import access, attachments, probe, share_servers, shares
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
        share_servers.CREATE,
        share_servers.DELETE,
        share_servers.UPDATE,
        share_servers.MANAGE,
        share_servers.UNMANAGE,
        attachments.PREPARE,
    )
}
