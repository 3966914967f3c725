"""SMB by the whole service: NFS and CIFS shares side by side, keys by the API, sealed at rest."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.lab import nfs4
from tests.lab.requirements import require
from tests.live.api import Refused
from tests.live.service import Roadstead

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.fixtures import SegmentFactory
    from tests.lab.segment import ClientNs
    from tests.live.api import Api

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("smb")]


class Smb:
    """A service on a segment with one client, and what that client gets over SMB."""

    def __init__(self, service: Roadstead, client: ClientNs) -> None:
        self.service = service
        self.client = client
        self.api: Api = service.api()

    def allow(self, share: dict[str, Any], name: str, level: str = "rw") -> dict[str, Any]:
        """The new rule, in force."""
        argument = {"access_type": "user", "access_to": name, "access_level": level}
        rule = self.api.act(share["id"], "allow_access", argument)["access"]
        return self.api.wait_rule(rule["id"])

    def admit(self, share: dict[str, Any], name: str, password: str) -> dict[str, Any]:
        """The same, with that password."""
        body = {"user": {"name": name, "password": password}}
        url = f"{self.api.url}/roadstead/v1/shares/{share['id']}/users"
        answer = self.api.session.post(url, json=body, timeout=60)
        if not answer.ok:
            raise Refused("POST", url, answer)
        return self.api.wait_rule(answer.json()["access"]["id"])

    def do(self, path: str, name: str, key: str, script: str) -> str:
        """What Samba's client says."""
        argv = ["nsenter", f"--net=/run/netns/{self.client.netns}", "--", "smbclient"]
        argv += ["--configfile=/dev/null", path, "-U", name, "-c", script]
        env = {**os.environ, "PASSWD": key}
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def smb(segment_factory: SegmentFactory) -> Iterator[Smb]:
    require("smbd", "smbclient", "smbcontrol", "smbpasswd", "smbstatus", root=True)
    segment = segment_factory()
    settings = {"protocols": ["NFS", "CIFS"]}
    with Roadstead(segment, export="ganesha+samba", settings=settings) as service:
        yield Smb(service, segment.client_ns())


# X-7, D-I3
def test_a_user_gets_in_with_the_key_of_the_rule(smb: Smb) -> None:
    share = smb.api.create_share(share_proto="CIFS")
    paths = smb.api.paths(share["id"])
    assert all(path.startswith("\\\\") for path in paths)
    assert paths[1].split("\\")[2].endswith(".ipv6-literal.net")
    rules = [smb.allow(share, "alice"), smb.allow(share, "robert", "ro")]
    alice, robert = (rule["access_key"] for rule in rules)
    for path in paths:
        assert "NT_STATUS" not in smb.do(path, "alice", alice, "put /etc/hostname new; ls")
        assert "ACCESS_DENIED" in smb.do(path, "robert", robert, "put /etc/hostname other")
        assert "LOGON_FAILURE" in smb.do(path, "alice", robert, "ls")
    listed = smb.api.rules(share["id"])
    assert {rule["access_to"]: rule["access_key"] for rule in listed} == {
        "alice": alice,
        "robert": robert,
    }
    with sqlite3.connect(smb.service.state / "db/roadstead.sqlite") as database:
        stored = [row[0] for row in database.execute("select access_key from access_rules")]
    assert len(stored) == 2
    assert not {alice, robert} & set(stored)
    assert alice not in smb.service.log.read_text()
    smb.api.deny(share["id"], rules[0]["id"])
    assert "LOGON_FAILURE" in smb.do(paths[0], "alice", alice, "ls")
    assert "NT_STATUS" not in smb.do(paths[0], "robert", robert, "ls")
    smb.api.delete_share(share["id"])


#
def test_a_user_gets_in_with_a_password_that_was_given(smb: Smb) -> None:
    share, other, third = (smb.api.create_share(share_proto="CIFS") for _ in range(3))
    given = "Grüße, given by hand"
    rules = [smb.admit(share, "carol", given)]
    (path, *_) = smb.api.paths(share["id"])
    assert "NT_STATUS" not in smb.do(path, "carol", given, "put /etc/hostname new; ls")
    with pytest.raises(Refused, match="another password"):
        smb.admit(other, "carol", "some other one")
    rules.append(smb.allow(other, "carol"))  # without a word of it: the same one
    (second, *_) = smb.api.paths(other["id"])
    smb.admit(third, "carol", given)
    for where in (path, second, smb.api.paths(third["id"])[0]):
        assert "NT_STATUS" not in smb.do(where, "carol", given, "ls")
    smb.allow(share, "robert")  # all of the share's rules are applied again
    assert "NT_STATUS" not in smb.do(path, "carol", given, "ls")
    assert given not in smb.service.log.read_text()
    smb.api.deny(share["id"], rules[0]["id"])
    assert "ACCESS_DENIED" in smb.do(path, "carol", given, "ls")
    for one in (share, other, third):
        smb.api.delete_share(one["id"])


@pytest.mark.isolation
def test_an_address_opens_no_smb_share(smb: Smb) -> None:
    share = smb.api.create_share(share_proto="CIFS")
    rule = smb.api.allow(share["id"], smb.client.ip, wait=False)
    smb.api.wait_rule(rule["id"], ("error",))
    smb.api.delete_share(share["id"])


def test_nfs_and_smb_from_one_place(smb: Smb) -> None:
    nfs = smb.api.create_share()
    smb.api.allow(nfs["id"], smb.client.ip)
    cifs = smb.api.create_share(share_proto="CIFS")
    key = smb.allow(cifs, "alice")["access_key"]
    server, _, pseudo = smb.api.paths(nfs["id"])[0].partition(":")
    with nfs4.Client(server, netns=smb.client.netns) as client:
        assert client.lookup(pseudo)
    assert "NT_STATUS" not in smb.do(smb.api.paths(cifs["id"])[0], "alice", key, "ls")
    for share in (nfs, cifs):
        smb.api.delete_share(share["id"])


# D-I8
def test_a_probe_of_an_smb_share_finds_what_it_should(smb: Smb) -> None:
    share = smb.api.create_share(share_proto="CIFS")
    smb.allow(share, "alice")
    done = smb.service.run(
        *("roadstead", "probe", share["id"], "--json", "--state", str(smb.service.state)),
        check=False,
    )
    found = json.loads(done.stdout)
    assert (found["verdict"], found["problem"]) == ("good", None)
    tried = [t["outcome"] for t in found["attempts"]]
    assert tried == ["refused", "refused", "admitted", "admitted"]
    assert [rule["access_to"] for rule in smb.api.rules(share["id"])] == ["alice"]
    smb.api.delete_share(share["id"])


def test_keys_and_shares_outlive_a_kill_of_everything(smb: Smb) -> None:
    share = smb.api.create_share(share_proto="CIFS")
    path, key = smb.api.paths(share["id"])[0], smb.allow(share, "alice")["access_key"]
    smb.service.kill()
    assert "NT_STATUS" not in smb.do(path, "alice", key, "ls")  # it needs nobody
    smb.service.down()
    smb.service.start()
    assert "NT_STATUS" not in smb.do(path, "alice", key, "put /etc/hostname after")
    assert [rule["access_key"] for rule in smb.api.rules(share["id"])] == [key]
    smb.api.delete_share(share["id"])
