"""Pools on the wire (wire.md#pools)."""

import pytest

from tests.factories import HOST
from tests.unit.api.asking import Asker


@pytest.fixture
def ask(app) -> Asker:
    return Asker(app)


NAME = f"{HOST}@local#memory"
# What clients read of the capabilities (wire.md#pools).
KEYS = set(
    "pool_name total_capacity_gb free_capacity_gb allocated_capacity_gb provisioned_capacity_gb "
    "reserved_percentage reserved_snapshot_percentage reserved_share_extend_percentage "
    "max_over_subscription_ratio thin_provisioning replication_type replication_domain "
    "share_backend_name storage_protocol vendor_name driver_version timestamp "
    "driver_handles_share_servers snapshot_support create_share_from_snapshot_support "
    "revert_to_snapshot_support mount_snapshot_support snapshot_inherit_share_access_support "
    "dedupe compression sg_consistent_snapshot_support security_service_update_support "
    "network_allocation_update_support share_server_multiple_subnet_support "
    "share_replicas_migration_support encryption_support qos_type_support ipv4_support "
    "ipv6_support qos".split()
)


def listed(ask, query="", v="2.99"):
    found = ask.ok("admin", "GET", f"/scheduler-stats/pools{query}", v=v)["pools"]
    return [pool["name"] for pool in found]


def test_summary(ask):
    assert ask.ok("admin", "GET", "/scheduler-stats/pools") == {
        "pools": [{"name": NAME, "host": HOST, "backend": "local", "pool": "memory"}]
    }


def test_capabilities(ask):
    (pool,) = ask.ok("admin", "GET", "/scheduler-stats/pools/detail", v="2.0")["pools"]
    found = pool["capabilities"]
    assert set(found) >= KEYS
    assert found["pool_name"] == "memory"
    assert found["share_backend_name"] == "local"
    assert found["total_capacity_gb"] == 10_000
    assert found["driver_handles_share_servers"] is False
    assert "NFS" in found["storage_protocol"].split("_")


def test_how_a_pool_isolates(ask):
    (pool,) = ask.ok("admin", "GET", "/scheduler-stats/pools/detail")["pools"]
    found = pool["capabilities"]
    assert found["isolation"] == "acl"
    assert found["pool_isolation"] in ("strong", "weak")
    assert found["roads"] == ["direct"]
    assert found["availability_zone"] == "nova"


@pytest.mark.parametrize(
    "query",
    [
        f"name={HOST}@local%23memory",
        f"host={HOST}",
        "host=.*",
        "host=n",
        "backend=lo.*",
        "pool=.*ory",
        "share_type=default",
        "host=.*&backend=local",
    ],
)
def test_filters_that_match(ask, query):
    assert listed(ask, f"?{query}") == [NAME]
    assert listed(ask, f"/detail?{query}") == [NAME]


@pytest.mark.parametrize(
    "query", ["host=ode", "backend=x", "foo=bar", "snapshot_support=True", "host=.*&pool=x"]
)
def test_filters_that_do_not(ask, query):
    assert listed(ask, f"?{query}") == []


def test_a_share_type_must_be_satisfied(ask):
    specs = {"driver_handles_share_servers": "True"}
    ask.ok("admin", "POST", "/types", {"share_type": {"name": "dhss", "extra_specs": specs}})
    specs = {"driver_handles_share_servers": "False", "vendor_name": "somebody else"}
    ask.ok("admin", "POST", "/types", {"share_type": {"name": "other", "extra_specs": specs}})
    assert listed(ask, "?share_type=dhss") == []
    assert listed(ask, "?share_type=other") == []
    assert listed(ask, "?share_type=default", v="2.22") == []
    ask.refused(400, "admin", "GET", "/scheduler-stats/pools?share_type=nope")


def test_a_bad_pattern_is_said(ask):
    ask.refused(400, "admin", "GET", "/scheduler-stats/pools?host=(")
    ask.refused(400, "admin", "GET", "/scheduler-stats/pools?host=" + "a" * 300)


def test_pools_are_for_administrators(ask):
    for path in ("/scheduler-stats/pools", "/scheduler-stats/pools/detail"):
        ask.refused(403, "member", "GET", path)
