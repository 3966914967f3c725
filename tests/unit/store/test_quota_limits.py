"""Limits of projects and quota classes in the database."""

from roadstead.model.quotas import DEFAULT_LIMITS
from roadstead.store import quotas


def test_own_limits_over_the_class_over_the_built_in(world):
    with world.db.write() as tx:
        assert quotas.limits(tx, "p") == DEFAULT_LIMITS
        quotas.set_class_limits(tx, "default", {"shares": 7, "backups": 8})
        quotas.set_limits(tx, "p", {"shares": 3, "gigabytes": -1})
        quotas.set_limits(tx, "p", {"shares": 4})
        quotas.set_limits(tx, "other", {"shares": 99})
        quotas.set_limits(tx, "p", {})
        have = quotas.limits(tx, "p")
        assert (have["shares"], have["gigabytes"], have["backups"]) == (4, -1, 8)
        quotas.delete_limits(tx, "p")
        assert quotas.limits(tx, "p")["shares"] == 7
        assert quotas.limits(tx, "other")["shares"] == 99


def test_classes(world):
    with world.db.write() as tx:
        assert quotas.class_limits(tx, "gold") == DEFAULT_LIMITS
        quotas.set_class_limits(tx, "gold", {"shares": 500})
        quotas.set_class_limits(tx, "gold", {"shares": 501})
        quotas.set_class_limits(tx, "gold", {})
        assert quotas.class_limits(tx, "gold") == {**DEFAULT_LIMITS, "shares": 501}
        assert quotas.limits(tx, "p") == DEFAULT_LIMITS
