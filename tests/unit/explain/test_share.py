"""D-I8: who gets at a share, by which rule, and what stands in the way."""

import msgspec
import pytest

from roadstead.explain.share import Facts, admitting_rule, explain
from roadstead.model.access import AccessRule
from roadstead.model.ids import new_id
from roadstead.model.probes import Finding, Probe
from roadstead.model.shares import ExportLocation, Share
from roadstead.store.db import utcnow

SHARE_ID, INSTANCE_ID = new_id(), new_id()


def _rule(to: str, level: str = "rw", state: str = "active", kind: str = "ip") -> AccessRule:
    return AccessRule(
        id=f"{to}-{level}", share_id=SHARE_ID, access_type=kind, access_to=to,
        access_level=level, state=state, created_at=utcnow(),
    )  # fmt: skip


def _facts(*rules: AccessRule, addresses=("192.0.2.1", "[fd00::1]"), **more) -> Facts:
    share = Share(
        id=SHARE_ID, project_id="p", user_id="u", size_gib=3, proto="NFS", created_at=utcnow(),
        instance_id=INSTANCE_ID, status="available", host="node1@local#image",
    )  # fmt: skip
    locations = [
        ExportLocation(
            id=new_id(), instance_id=INSTANCE_ID, share_id=SHARE_ID,
            path=f"{address}:/share-{INSTANCE_ID}", created_at=utcnow(),
        )
        for address in addresses
    ]  # fmt: skip
    more = {"road": "direct", "isolation": "acl", **more}
    return Facts(share=share, locations=locations, rules=rules, **more)


@pytest.mark.parametrize(
    ("rules", "client", "admits"),
    [
        ([], "10.0.0.1", None),
        ([_rule("10.0.0.1")], "10.0.0.1", "10.0.0.1-rw"),
        ([_rule("10.0.0.1")], "10.0.0.2", None),
        # D-I6: the more specific one decides, whatever its level and its place in the list
        ([_rule("10.0.0.0/8"), _rule("10.0.0.0/24", "ro")], "10.0.0.1", "10.0.0.0/24-ro"),
        ([_rule("10.0.0.0/24", "ro"), _rule("10.0.0.0/8")], "10.0.0.1", "10.0.0.0/24-ro"),
        ([_rule("10.0.0.0/8", "ro"), _rule("10.0.0.1")], "10.0.0.1", "10.0.0.1-rw"),
        ([_rule("0.0.0.0/0", "ro"), _rule("10.0.0.0/24")], "10.1.0.1", "0.0.0.0/0-ro"),
        # host bits in a rule mean its network, as for the export server
        ([_rule("10.0.0.77/24")], "10.0.0.1", "10.0.0.77/24-rw"),
        ([_rule("fd00::/64", "ro"), _rule("fd00::5")], "fd00::5", "fd00::5-rw"),
        ([_rule("fd00::/64", "ro"), _rule("fd00::5")], "fd00:0::6", "fd00::/64-ro"),
        # the families do not meet
        ([_rule("0.0.0.0/0")], "fd00::5", None),
        ([_rule("::/0")], "10.0.0.1", None),
        # on its way in counts, on its way out or refused by the backend does not
        ([_rule("10.0.0.1", state="queued_to_apply")], "10.0.0.1", "10.0.0.1-rw"),
        ([_rule("10.0.0.1", state="queued_to_deny")], "10.0.0.1", None),
        ([_rule("10.0.0.1", state="error")], "10.0.0.1", None),
        ([_rule("alice", kind="user"), _rule("x/y")], "10.0.0.1", None),
    ],
)
def test_the_most_specific_rule_in_force_decides(rules, client, admits):
    found = admitting_rule(rules, client)
    assert (found and found.id) == admits
    assert explain(_facts(*rules), client).verdict == ("admitted" if admits else "refused")


def test_a_mapped_address_is_the_ipv4_client_it_stands_for():
    found = explain(_facts(_rule("10.0.0.1")), "::ffff:10.0.0.1")
    assert (found.client, found.verdict) == ("10.0.0.1", "admitted")


def test_a_client_of_a_family_the_backend_lacks_cannot_arrive():
    facts = _facts(_rule("fd00::/64"), addresses=("192.0.2.1",))
    found = explain(facts, "fd00::5")
    assert found.verdict == "unreachable"
    (broken,) = [hop for hop in found.hops if hop.ok is False]
    assert broken.name == "client"
    assert "IPv6" in broken.what


def test_every_hop_is_told_in_order():
    """D-M1: the isolation is said where the way is."""
    finding = Finding(problem="the export is broken: not served")
    probe = Probe(
        share_id=SHARE_ID, operation_id=new_id(), finding=finding,
        started_at=utcnow(), finished_at=utcnow(),
    )  # fmt: skip
    found = explain(_facts(_rule("10.0.0.0/8", "ro"), probe=probe), "10.0.0.1")
    assert (found.road, found.isolation) == ("direct", "acl")
    assert found.addresses == ("192.0.2.1", "fd00::1")
    hops = {hop.name: hop for hop in found.hops}
    assert list(hops) == ["client", "network", "rule", "export", "pool", "probe"]
    assert f"192.0.2.1:/share-{INSTANCE_ID}" in hops["client"].what
    assert "fd00" not in hops["client"].what
    assert "isolation=acl" in hops["network"].what
    assert "10.0.0.0/8 admits 10.0.0.1 at level ro" in hops["rule"].what
    assert "3 GiB" in hops["pool"].what
    assert hops["probe"].ok is False
    assert "not served" in hops["probe"].what


def test_a_rule_that_is_not_there_yet_is_told_as_such():
    found = explain(_facts(_rule("10.0.0.1", state="applying")), "10.0.0.1")
    (hop,) = [hop for hop in found.hops if hop.name == "rule"]
    assert hop.ok is None
    assert "applying" in hop.what


def test_without_a_client_all_rules_are_told_the_most_specific_first():
    found = explain(_facts(_rule("10.0.0.0/8", "ro"), _rule("10.0.0.1"), _rule("::/0")))
    assert (found.client, found.verdict, found.rule) == (None, None, None)
    (hop,) = [hop for hop in found.hops if hop.name == "rule"]
    assert hop.what == "most specific first: 10.0.0.1 rw, 10.0.0.0/8 ro, ::/0 rw"


@pytest.mark.parametrize("status", ["creating", "error", "deleting", "error_deleting"])
def test_a_share_that_comes_or_goes_or_failed_to_is_not_exported(status):
    facts = _facts(_rule("10.0.0.1"))
    facts = msgspec.structs.replace(
        facts, share=msgspec.structs.replace(facts.share, status=status)
    )
    (hop,) = (hop for hop in explain(facts, "10.0.0.1").hops if hop.name == "export")
    assert hop.ok is False


def test_a_name_is_no_client():
    with pytest.raises(ValueError, match="vm1"):
        explain(_facts(), "vm1")
