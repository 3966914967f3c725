"""What Samba is told, as text."""

from __future__ import annotations

import pytest

from roadstead.conformance.exports import rule
from roadstead.drivers.export.samba import conf
from roadstead.model.errors import DriverError
from roadstead.model.ids import new_id
from roadstead.model.user_admission import admit_users


def stored(path: str = "/shares/a", **users: str) -> conf.StoredExport:
    return conf.StoredExport(
        export_id=7, instance_id=new_id(), path=path, owner="project", users=users, targets=users
    )


def lines(text: str) -> dict[str, str]:
    found = (line.strip().partition("=") for line in text.splitlines() if "=" in line)
    return {key.strip(): value.strip() for key, _, value in found}


def test_a_section_names_its_users_and_nobody_else() -> None:
    found = lines(conf.share_text(stored(alice="rw", robert="ro")))
    # With their domain: a bare S-1-1-0 would be everybody.
    assert found["valid users"] == r'"RSHARE\alice" "RSHARE\robert"'
    assert found["write list"] == r'"RSHARE\alice"'
    assert (found["read only"], found["guest ok"], found["available"]) == ("yes", "no", "yes")


def test_a_share_without_users_is_available_to_nobody() -> None:
    found = lines(conf.share_text(stored()))
    assert found["available"] == "no"
    assert found["valid users"] != ""


@pytest.mark.parametrize(
    "path", ["/a/%U", '/a"b', "/a\n[global]", "/a\\", "/a\x7f", "/a ", "/a\r", "/a\x00"]
)
def test_a_path_with_a_meaning_of_its_own_is_refused(path: str) -> None:
    with pytest.raises(DriverError):
        conf.share_text(stored(path))


def test_sections_are_found_again_as_they_were_written() -> None:
    settings = conf.ServerSettings(state="/state", port=445, addresses=("10.0.0.1", "fd00::1"))
    exports = [stored(), stored("/shares/[b]", alice="rw")]
    text = conf.server_text(settings) + "".join(map(conf.share_text, exports))
    assert conf.sections(text) == {
        conf.share_name(export.instance_id): conf.share_text(export) for export in exports
    }
    for name, export in zip(conf.sections(text), exports, strict=True):
        assert conf.instance_of_share(name) == export.instance_id
    assert "interfaces = 10.0.0.1 fd00::1\n" in text


@pytest.mark.parametrize(
    ("address", "host"),
    [("10.0.0.1", "10.0.0.1"), ("fd00:9::1", "fd00-9--1.ipv6-literal.net")],
)
def test_a_location_is_a_unc_path(address: str, host: str) -> None:
    instance = new_id()
    assert conf.location(address, instance) == f"\\\\{host}\\share-{instance}"


def test_levels_do_not_depend_on_the_order_of_rules() -> None:
    rules = [rule("Alice", "rw", "user"), rule("alice", "ro", "user"), rule("10.0.0.1")]
    for order in (rules, rules[::-1]):
        levels, admitted = admit_users(order)
        assert levels == {"alice": "ro"}
        assert [a.rule_id for a in admitted] == [r.rule_id for r in order]
        assert [a.target for a in admitted if a.problem] == [""]
