"""Ganesha's configuration text: the right blocks in the right order, and nothing else in them."""

from __future__ import annotations

import ipaddress
import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead.drivers.ganesha import conf
from roadstead.model.admission import Network, admit, level_for, plain_address
from roadstead.model.errors import DriverError
from roadstead.model.ids import new_id
from roadstead.model.world import RuleSpec

INSTANCE = "0b4f2a52-3f0e-4a0f-9d5c-1d4a2b3c4d5e"

addresses = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))
networks = st.builds(
    lambda address, length: ipaddress.ip_network(
        f"{address}/{length % (address.max_prefixlen + 1)}", strict=False
    ),
    addresses,
    st.integers(0, 128),
)
levels = st.sampled_from(["rw", "ro"])


def rules_for(wanted: dict[Network, str]) -> list[RuleSpec]:
    return [
        RuleSpec(rule_id=new_id(), access_type="ip", access_to=str(network), access_level=level)
        for network, level in wanted.items()
    ]


def text_for(*rules: tuple[str, str]) -> str:
    clients, outcomes = admit(
        rules_for({ipaddress.ip_network(to): level for to, level in rules}), refuse=conf.refuse
    )
    assert [outcome.problem for outcome in outcomes] == [None] * len(rules)
    return conf.export_text(stored(clients))


def stored(clients: dict[str, str], path: str = "/shares/one") -> conf.StoredExport:
    return conf.StoredExport(export_id=7, instance_id=INSTANCE, path=path, clients=clients)


def client_lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if "CLIENT" in line]


def test_an_export_nobody_may_use() -> None:
    text = conf.export_text(stored({}))
    assert text.partition("\n")[2] == (
        "EXPORT {\n"
        "  Export_Id = 7;\n"
        '  Path = "/shares/one";\n'
        f'  Pseudo = "/share-{INSTANCE}";\n'
        "  Access_Type = None; Squash = No_Root_Squash;\n"
        "  SecType = sys; Transports = TCP;\n"
        "  FSAL { Name = VFS; }\n"
        "}\n"
    )


def test_the_most_specific_block_comes_first() -> None:
    text = text_for(
        ("10.0.0.0/8", "rw"), ("10.9.0.1", "rw"), ("fd00::/64", "ro"), ("10.9.0.2", "rw")
    )
    assert client_lines(text) == [
        "CLIENT { Clients = fd00::/64; Access_Type = RO; }",
        "CLIENT { Clients = 10.9.0.1/32, 10.9.0.2/32, 10.0.0.0/8; Access_Type = RW; }",
    ]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        # LP 1707946; and not 0.0.0.0, which to Ganesha is everybody, IPv6 too.
        ("0.0.0.0/0", "0.0.0.0/1, 128.0.0.0/1"),
        ("::/0", "::/1, 8000::/1"),
        ("fd00::1/128", "fd00::1"),
        ("fd00::4/127", "fd00::4, fd00::5"),
        ("2001:db8::/99", "2001:db8::/99"),
        ("0.0.0.0/32", "0.0.0.0/32"),
    ],
)
def test_what_the_lexer_cannot_read_is_said_otherwise(target: str, words: str) -> None:
    line = f"CLIENT {{ Clients = {words}; Access_Type = RO; }}"
    assert client_lines(text_for((target, "ro"))) == [line]


def test_what_cannot_be_said_at_all_is_a_problem() -> None:
    rules = rules_for({ipaddress.ip_network("fd00::/119"): "rw"})
    clients, (outcome,) = admit(rules, refuse=conf.refuse)
    assert clients == {}
    assert outcome.problem is not None
    assert "fd00::/119" in outcome.problem


@given(wanted=st.dictionaries(networks, levels, max_size=6), data=st.data())
def test_the_order_of_the_rules_does_not_matter(
    wanted: dict[Network, str], data: st.DataObject
) -> None:
    rules = rules_for(wanted)
    shuffled = data.draw(st.permutations(rules))
    first, _ = admit(rules, refuse=conf.refuse)
    second, outcomes = admit(shuffled, refuse=conf.refuse)
    assert conf.export_text(stored(first)) == conf.export_text(stored(second))
    assert [outcome.rule_id for outcome in outcomes] == [rule.rule_id for rule in shuffled]


@given(wanted=st.dictionaries(networks, levels, max_size=6), client=addresses)
def test_the_first_match_is_the_most_specific(
    wanted: dict[Network, str], client: ipaddress.IPv4Address | ipaddress.IPv6Address
) -> None:
    clients, outcomes = admit(rules_for(wanted), refuse=conf.refuse)
    held = {
        network: level
        for (network, level), outcome in zip(wanted.items(), outcomes, strict=True)
        if outcome.problem is None
    }
    best = max((n for n in held if client in n), key=lambda n: n.prefixlen, default=None)
    served = conf.served_clients(clients)
    first = next((level for n, level in served if client in ipaddress.ip_network(n)), None)
    assert first == (None if best is None else held[best])
    assert level_for(str(client), clients) == first


@given(targets=st.lists(st.one_of(st.text(), networks.map(str))))
def test_a_tenant_writes_no_configuration(targets: list[str]) -> None:
    rules = [
        RuleSpec(rule_id="", access_type="ip", access_to=target, access_level="rw")
        for target in targets
    ]
    clients, _ = admit(rules, refuse=conf.refuse)
    text = conf.export_text(stored(clients))
    assert text.startswith("# roadstead {")
    lines = text.splitlines()
    assert len(lines) == (11 if clients else 10) - 1
    for line in client_lines(text):
        assert re.fullmatch(r"CLIENT \{ Clients = [0-9a-f.:/, ]+; Access_Type = RW; \}", line)
    assert conf.parse(text) == stored(clients)


@given(path=st.text())
def test_a_path_is_quoted_or_refused(path: str) -> None:
    try:
        text = conf.export_text(stored({}, path))
    except DriverError:
        return
    (line,) = [line for line in text.splitlines() if line.startswith("  Path")]
    assert line == f'  Path = "{path}";'
    assert path.startswith("/")
    assert not set(path) & set('"\\\n\r')


@pytest.mark.parametrize(
    "text", ["", "EXPORT { }", "# roadstead", "# roadstead {", '# roadstead {"export_id": "x"}']
)
def test_a_file_that_is_not_ours_is_no_export(text: str) -> None:
    assert conf.parse(text) is None


def test_one_network_at_two_levels_is_read_only() -> None:
    for order in itertools.permutations(["rw", "ro"]):
        rules = [
            RuleSpec(rule_id="", access_type="ip", access_to="10.0.0.1", access_level=level)
            for level in order
        ]
        assert admit(rules)[0] == {"10.0.0.1/32": "ro"}


def test_addresses_seen_by_a_dual_stack_socket() -> None:
    assert plain_address("::ffff:10.9.0.1") == "10.9.0.1"
    assert plain_address("fd00:0:0::1") == "fd00::1"
    assert plain_address("<unknown>") == "<unknown>"


def test_the_server_listens_on_ipv6_only_where_it_is_wanted() -> None:
    def text(dual_stack: bool, *, nfs3: bool = False) -> str:
        return conf.server_text(
            conf.ServerSettings(
                dbus_prefix="rs_host",
                recovery_root="/state/recovery",
                exports_file="/state/exports.conf",
                plugins_directory="/usr/lib/ganesha",
                dual_stack=dual_stack,
                port=2049,
                minor_versions=(1, 2),
                graceless=False,
                lease_seconds=15,
                nfs3=nfs3,
            )
        )

    assert "Bind_addr = 0::0;" in text(True)
    # Even 0.0.0.0 fails where only lo has an address.
    assert "Bind_addr" not in text(False)
    assert "Minor_Versions = 1, 2;" in text(False)
    # NFSv3 is there only where it is wanted, for the server and for every export.
    assert text(False).count("Protocols = 4;") == 2
    assert text(True, nfs3=True).count("Protocols = 3, 4;") == 2
