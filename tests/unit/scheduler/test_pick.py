"""The scheduler's choice, and its words when there is none."""

import datetime

import msgspec
import pytest

from roadstead.model.errors import NoValidPool
from roadstead.model.shares import Pool, ShareType
from roadstead.scheduler.filters import Request
from roadstead.scheduler.pick import pick

NOW = datetime.datetime(2026, 1, 1)


def _pool(name="node1@a#p", free=100.0, zone="nova", **capabilities):
    host, _, rest = name.partition("@")
    backend, _, pool = rest.partition("#")
    known = {"driver_handles_share_servers": False, "storage_protocol": "NFS", "isolation": "acl"}
    return Pool(
        name=name, host=host, backend=backend, pool=pool, availability_zone=zone,
        total_gib=200, free_gib=free, allocated_gib=0, provisioned_gib=0,
        capabilities={**known, **capabilities}, updated_at=NOW,
    )  # fmt: skip


def _request(size=1, specs=None, **more):
    extra = {"driver_handles_share_servers": "False", **(specs or {})}
    share_type = ShareType(id="t", name="t", extra_specs=extra, created_at=NOW)
    return Request(size_gib=size, proto="NFS", share_type=share_type, **more)


def test_the_pool_with_most_free_space_wins():
    pools = [_pool("n@a#p", free=5), _pool("n@b#p", free=50), _pool("n@c#p", free=20)]
    assert pick(pools, _request()).name == "n@b#p"


def test_every_pool_is_named_with_the_filter_that_refused_it():
    pools = [_pool("n@a#p", zone="z1"), _pool("n@b#p", free=2), _pool("n@c#p", dedupe=False)]
    with pytest.raises(NoValidPool) as caught:
        pick(pools, _request(10, {"dedupe": "<is> True"}, availability_zone="nova"))
    text = str(caught.value)
    assert "n@a#p (AvailabilityZone: is in zone z1, not nova)" in text
    assert "n@b#p (Capabilities:" in text
    assert "n@c#p (Capabilities: dedupe is False" in text
    assert caught.value.detail_id == "008"


def test_a_full_pool_is_refused_by_capacity():
    with pytest.raises(NoValidPool, match="Capacity: has room for 2 GiB, not 10") as caught:
        pick([_pool(free=2)], _request(10))
    assert caught.value.detail_id == "009"


def test_thin_pools_promise_more_than_they_have_up_to_the_ratio():
    thin = _pool(free=10, thin_provisioning=True, max_over_subscription_ratio=2.0)
    assert pick([thin], _request(390)) == thin
    with pytest.raises(NoValidPool):
        pick([msgspec.structs.replace(thin, provisioned_gib=20.0)], _request(390))


@pytest.mark.parametrize(
    ("spec", "have", "fits"),
    [
        ("<is> True", True, True),
        ("True", False, False),
        (">= 4", 4, True),
        (">= 5", 4, False),
        ("<in> ss", "ssd", True),
        ("<or> hdd <or> ssd", "ssd", True),
        ("direct", ["direct", "network"], True),
        ("gateway", ["direct"], False),
        ("acl", "acl", True),
    ],
)
def test_extra_specs_are_compared_as_manila_writes_them(spec, have, fits):
    pools = [_pool(thing=have)]
    if fits:
        assert pick(pools, _request(specs={"capabilities:thing": spec}))
    else:
        with pytest.raises(NoValidPool):
            pick(pools, _request(specs={"thing": spec}))


def test_scoped_specs_of_others_are_ignored():
    assert pick([_pool()], _request(specs={"somevendor:magic": "yes"}))


def test_a_project_that_requires_network_isolation_gets_no_direct_share():
    """D-M5."""
    with pytest.raises(NoValidPool, match="Isolation"):
        pick([_pool()], _request(require_network_isolation=True))
    assert pick([_pool(isolation="network")], _request(require_network_isolation=True))


def test_down_and_disabled_services_are_passed_over():
    down = msgspec.structs.replace(_pool("n@a#p", free=90), up=False)
    off = msgspec.structs.replace(_pool("n@b#p", free=80), enabled=False)
    assert pick([down, off, _pool("n@c#p", free=1)], _request()).name == "n@c#p"


def test_no_report_yet_is_said_so():
    with pytest.raises(NoValidPool) as caught:
        pick([], _request())
    assert caught.value.detail_id == "028"


@pytest.mark.parametrize(
    "specs",
    [
        {"default_qos_type": "gold"},
        {"availability_zones": "nova,other"},
        {"driver_handles_share_servers": "no"},
        {"provisioning:max_share_size": "10"},
        {"roadstead:allow_any_address": "True"},
        {"mount_point_name_support": "False"},
    ],
)
def test_specs_that_are_no_wish_for_a_capability(specs):
    assert pick([_pool()], _request(specs=specs)).name == "node1@a#p"


@pytest.mark.parametrize(
    "specs", [{"mount_point_name_support": "True"}, {"replication_type": "dr"}, {"qos": "True"}]
)
def test_specs_that_a_pool_must_offer(specs):
    with pytest.raises(NoValidPool, match="Capabilities"):
        pick([_pool()], _request(specs=specs))
