"""A real Samba: what its clients get, whom a new rule cuts off, what a kill leaves."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
from typing import TYPE_CHECKING

import msgspec
import pytest

from roadstead.conformance.exports import ref
from roadstead.conformance.user_access import user
from roadstead.drivers.export.samba.control import Control
from roadstead.drivers.export.samba.files import ExportFiles
from roadstead.model import world as w
from roadstead.model.errors import Transient
from tests.conformance.ganesha_bench import SERVER, kill
from tests.conformance.samba_bench import WRONG, SambaLab
from tests.lab.netns import NETNS_DIRECTORY, add_netns, remove_netns

if TYPE_CHECKING:
    from pathlib import Path

    from roadstead.conformance.exports import ExportBench

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("samba")]
# The second where its process was slow to obey and was killed.
CUT = ("NT_STATUS_NETWORK_NAME_DELETED", "NT_STATUS_CONNECTION_DISCONNECTED")


@pytest.fixture
def spec(bench: ExportBench) -> w.ExportSpec:
    return bench.exported(user("alice"), user("robert", "ro"))


def level(lab: SambaLab, bench: ExportBench, spec: w.ExportSpec, name: str) -> str | None:
    return lab.level(spec, name, bench.keys[name])


def is_cut(answer: str) -> bool:
    return any(status in answer for status in CUT)


@pytest.mark.isolation
def test_only_the_right_password_opens_a_share(
    lab: SambaLab, bench: ExportBench, spec: w.ExportSpec
) -> None:
    assert lab.level(spec, "alice", WRONG) is None
    assert lab.level(spec, "alice", bench.keys["robert"]) is None
    assert lab.level(spec, "carol", bench.keys["alice"]) is None
    for nobody in ("", "guest", "nobody", "root", "roadstead-files"):
        assert lab.level(spec, nobody, "") is None
    assert lab.level(spec, "ALICE", bench.keys["alice"]) == "rw"


def test_users_of_a_share_are_equals(lab: SambaLab, bench: ExportBench) -> None:
    spec = bench.exported(user("alice"), user("robert"))
    lab.smbclient(spec, "alice", bench.keys["alice"], "mkdir d; put /etc/hostname d/f")
    done = lab.smbclient(spec, "robert", bench.keys["robert"], "rename d/f d/g; ls d/g; rm d/g")
    assert "NT_STATUS" not in done
    found = os.stat(f"{spec.path}/d")
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (0, 0, 0o775)


# N-S2
@pytest.mark.isolation
def test_no_share_is_listed(lab: SambaLab, bench: ExportBench, spec: w.ExportSpec) -> None:
    argv = ["nsenter", f"--net=/run/netns/{lab.netns}", "--", "smbclient"]
    argv += ["--configfile=/dev/null", "-g", "-L", "//server", "-I", SERVER]
    for name, password in (("alice", bench.keys["alice"]), ("", "")):
        done = subprocess.run(
            [*argv, "-U", name],
            env={**os.environ, "PASSWD": password},
            capture_output=True,
            text=True,
            check=False,
        )
        listed = [line for line in done.stdout.splitlines() if line.startswith("Disk|")]
        assert listed == []
        assert spec.instance_id not in done.stdout


@pytest.mark.parametrize(
    ("option", "said"),
    [("--option=client max protocol=SMB2_10", "NT_STATUS_"), ("-mNT1", "NT_STATUS_")],
)
def test_older_protocols_are_refused(
    lab: SambaLab, bench: ExportBench, spec: w.ExportSpec, option: str, said: str
) -> None:
    argv = ["nsenter", f"--net=/run/netns/{lab.netns}", "--", "smbclient", option]
    argv += ["--configfile=/dev/null", f"//server/share-{spec.instance_id}", "-I", SERVER]
    argv += ["--option=client min protocol=NT1", "-U", "alice", "-c", "ls"]
    env = {**os.environ, "PASSWD": bench.keys["alice"]}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert said in done.stdout + done.stderr


@pytest.mark.isolation
def test_no_link_leads_out_of_the_share(
    lab: SambaLab, bench: ExportBench, spec: w.ExportSpec
) -> None:
    secret = lab.root / "secret"
    secret.write_text("not for clients")
    os.symlink(secret, f"{spec.path}/absolute")
    os.symlink("../../secret", f"{spec.path}/relative")
    os.symlink(lab.root, f"{spec.path}/directory")
    for name in ("absolute", "relative", "directory\\secret", "..\\..\\secret"):
        done = lab.smbclient(spec, "alice", bench.keys["alice"], f"get {name} -")
        assert "NT_STATUS_" in done
        assert "not for clients" not in done
    lab.smbclient(spec, "alice", bench.keys["alice"], "put /etc/hostname absolute")
    assert secret.read_text() == "not for clients"


# D-I5
@pytest.mark.isolation
def test_a_revoked_user_is_cut_with_a_file_open_and_others_go_on(
    lab: SambaLab, bench: ExportBench, spec: w.ExportSpec
) -> None:
    with (
        lab.session(spec, "alice", bench.keys["alice"]) as alice,
        lab.session(spec, "robert", bench.keys["robert"]) as robert,
    ):
        assert "open file" in alice.do("open file")
        assert "open file" in robert.do("open file")
        assert [s.client for s in bench.driver.sessions(ref(spec))] == [SERVER]
        assert bench.allow(spec, [user("robert", "ro")]) == [None]
        assert is_cut(alice.do("ls file"))
        assert not is_cut(robert.do("ls file"))
        assert level(lab, bench, spec, "alice") is None


@pytest.mark.parametrize(("before", "after"), [("rw", "ro"), ("ro", "rw")])
@pytest.mark.isolation
def test_a_changed_level_holds_for_open_connections(
    lab: SambaLab, bench: ExportBench, before: str, after: str
) -> None:
    spec = bench.exported(user("alice", before), user("robert"))
    with (
        lab.session(spec, "alice", bench.keys["alice"]) as alice,
        lab.session(spec, "robert", bench.keys["robert"]) as robert,
    ):
        alice.do("open file")
        bench.allow(spec, [user("alice", after), user("robert")])
        assert is_cut(alice.do("put /etc/hostname new"))
        assert not is_cut(robert.do("ls file"))
    assert level(lab, bench, spec, "alice") == after


def test_a_removed_export_lets_go_of_its_file_system(
    lab: SambaLab, bench: ExportBench, tmp_path: Path
) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "rs-test", str(tmp_path)], check=True)
    try:
        (tmp_path / "file").write_bytes(b"hello\n")
        spec = bench.spec(path=str(tmp_path))
        bench.driver.ensure_export(spec)
        bench.allow(spec, [user("alice")])
        with lab.session(spec, "alice", bench.keys["alice"]) as alice:
            alice.do("open file")
            bench.driver.ensure_export_absent(ref(spec))
            subprocess.run(["umount", str(tmp_path)], check=True)
            assert is_cut(alice.do("ls file"))
    finally:
        subprocess.run(["umount", "-q", str(tmp_path)], check=False)


#
@pytest.mark.isolation
def test_nobody_else_can_read_a_password(
    lab: SambaLab, bench: ExportBench, spec: w.ExportSpec
) -> None:
    given = msgspec.structs.replace(user("carol"), access_key="correct horse")
    bench.allow(spec, [user("alice"), given])
    state = lab.smb_state(bench.place)
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    private = [*(state / "private").glob("*.tdb"), state / "private" / "secret"]
    assert [f.name for f in private if stat.S_IMODE(f.stat().st_mode) & 0o077] == []
    files = [f for f in state.rglob("*") if f.is_file()]
    assert len(files) > len(private) > 2
    for password in ("correct horse", bench.keys["alice"]):
        assert [f for f in files if password.encode() in f.read_bytes()] == []
        assert [f for f in files if password.encode("utf-16-le") in f.read_bytes()] == []


def test_a_killed_server_serves_exactly_what_is_stored(
    lab: SambaLab, bench: ExportBench, spec: w.ExportSpec
) -> None:
    other = bench.exported(user("alice", "ro"))
    before = bench.found()
    for pid in lab.smbd(bench.place):
        kill(pid)
    assert {mark.broken for mark in bench.found().values()} == {"not served"}
    with pytest.raises(Transient):
        bench.allow(spec, [user("robert", "rw")])
    # What was wanted meanwhile is what is served.
    lab.samba().ensure_server(bench.place)
    assert level(lab, bench, spec, "alice") is None
    assert level(lab, bench, spec, "robert") == "rw"
    assert level(lab, bench, other, "alice") == "ro"
    assert bench.found().keys() == before.keys()
    assert {mark.broken for mark in bench.found().values()} == {None}


def test_the_one_that_listens_is_killed_alone(
    lab: SambaLab, bench: ExportBench, spec: w.ExportSpec
) -> None:
    with lab.session(spec, "alice", bench.keys["alice"]) as alice:
        assert not is_cut(alice.do("ls file"))
        kill(int((lab.smb_state(bench.place) / "pid" / "smbd.pid").read_text()))
        bench.driver.ensure_server(bench.place)
        # Its orphan obeyed nobody any more.
        assert "  file  " not in alice.do("ls file")
    assert level(lab, bench, spec, "alice") == "rw"


def test_a_new_agent_adopts_a_running_server(
    lab: SambaLab, bench: ExportBench, spec: w.ExportSpec
) -> None:
    pids = lab.smbd(bench.place)
    with lab.session(spec, "alice", bench.keys["alice"]) as alice:
        successor = lab.samba()
        successor.ensure_server(bench.place)
        assert set(pids) <= set(lab.smbd(bench.place))
        assert not is_cut(alice.do("ls file"))
        (outcome,) = successor.ensure_access(ref(spec), [user("alice")])
        assert outcome.access_key == bench.keys["alice"]


@pytest.mark.isolation
def test_who_should_have_been_cut_is_cut_by_the_next_agent(
    lab: SambaLab, bench: ExportBench, spec: w.ExportSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with lab.session(spec, "alice", bench.keys["alice"]) as alice:
        alice.do("open file")
        with monkeypatch.context() as patch:
            patch.setattr(Control, "cut", killed)
            with pytest.raises(KeyboardInterrupt):
                bench.allow(spec, [])
        assert "not cut" in (bench.found()[spec.instance_id].broken or "")
        lab.samba().ensure_server(bench.place)
        assert is_cut(alice.do("ls file"))
    assert bench.found()[spec.instance_id].broken is None


def test_an_account_half_made_is_made(
    lab: SambaLab, bench: ExportBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = bench.exported()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Control, "set_password", killed)
        with pytest.raises(KeyboardInterrupt):
            bench.allow(spec, [user("alice")])
    bench.allow(spec, [user("alice")])
    assert level(lab, bench, spec, "alice") == "rw"


def test_a_share_that_is_not_mounted_is_not_served(lab: SambaLab, bench: ExportBench) -> None:
    spec = bench.exported(user("alice"))
    strict = lab.samba(require_mount=True)
    strict.ensure_server(bench.place)
    assert bench.found()[spec.instance_id].broken == "not served"
    assert level(lab, bench, spec, "alice") is None
    with pytest.raises(Transient, match="not mounted"):
        strict.ensure_export(spec)
    bench.driver.ensure_server(bench.place)
    assert level(lab, bench, spec, "alice") == "rw"


def test_what_is_stopped_is_kept(lab: SambaLab, bench: ExportBench, spec: w.ExportSpec) -> None:
    bench.driver.stop_all()
    assert lab.smbd(bench.place) == []
    assert ExportFiles(lab.smb_state(bench.place) / "exports.d").find(spec.export_id) is not None
    bench.driver.ensure_server(bench.place)
    assert level(lab, bench, spec, "alice") == "rw"


def test_a_namespace_made_anew_gets_a_new_server(
    lab: SambaLab, bench: ExportBench, spec: w.ExportSpec
) -> None:
    before, anew = lab.smbd(bench.place), f"{lab.netns}-b"
    add_netns(anew)
    try:
        bench.driver.ensure_server(msgspec.structs.replace(bench.place, netns=anew))
        pids = lab.smbd(bench.place)
        assert not set(before) & set(pids)
        assert os.path.samefile(f"/proc/{pids[0]}/ns/net", NETNS_DIRECTORY / anew)
        bench.driver.stop_all()
        assert lab.smbd(bench.place) == []
    finally:
        remove_netns(anew)


def test_on_a_host_it_listens_on_the_given_addresses_only(lab: SambaLab) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    driver = lab.samba(port=port)
    place = w.Place(id="host-here", addresses=("127.0.0.1",))
    driver.ensure_server(place)
    try:
        socket.create_connection(("127.0.0.1", port)).close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", port))
    finally:
        driver.ensure_server_absent(place)
    assert lab.smbd(place) == []
