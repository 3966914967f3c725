"""The raw NFSv4 client against a real Ganesha."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab import nfs4
from tests.lab.netns import ip
from tests.lab.nfs4_handle import Handle

if TYPE_CHECKING:
    from tests.lab.world import World

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("lab-raw")]


def test_the_raw_client_lists_writes_and_reads(world: World) -> None:
    with world.raw(world.friend) as client:
        client.null()
        share = client.lookup("/open")
        assert "hello" in [entry.name for entry in client.readdir(share)]
        assert client.read(client.lookup("/open/hello"), 0, 100) == b"hello\n"
        file = client.open(share, "raw", write=True, create=True)
        data = b"x" * 100_000
        assert client.write(file, 0, data) == len(data)
        assert client.read(file, 1, 200_000) == data[1:]
        client.close_file(file)
        assert client.getattr(file.handle, "size", "type") == {"type": "file", "size": len(data)}
        client.remove(share, "raw")
        with pytest.raises(nfs4.NfsError, match="STALE"):
            client.getattr(file.handle)


def test_the_raw_client_is_refused_cleanly(world: World) -> None:
    with world.raw(world.friend) as friend, world.raw(world.stranger) as stranger:
        handle = friend.lookup("/open/hello")
        with pytest.raises(nfs4.NfsError) as refused:
            stranger.lookup("/open")
        assert refused.value.status_name == "NOENT"
        with pytest.raises(nfs4.NfsError) as refused:
            stranger.read(handle, 0, 10)
        assert refused.value.status_name == "ACCESS"


def test_a_forged_handle_is_taken_as_it_is_written(world: World) -> None:
    """Both exports lie on one filesystem here, so this shows that our forgeries are good."""
    with world.raw(world.friend) as friend, world.raw(world.stranger) as stranger:
        secret = Handle.parse(stranger.lookup("/closed/secret"))
        assert secret.export_id == 8
        assert secret.inode == (world.data.parent / "closed/secret").stat().st_ino
        with pytest.raises(nfs4.NfsError, match="ACCESS"):
            friend.read(secret.pack(), 0, 10)
        assert friend.read(secret.forge(export_id=7), 0, 10) == b"secret\n"
        hello = Handle.parse(friend.lookup("/open/hello"))
        forged = hello.forge(inode=secret.inode, generation=secret.generation)
        assert friend.read(forged, 0, 10) == b"secret\n"
        with pytest.raises(nfs4.NfsError, match="STALE"):
            friend.read(hello.forge(generation=hello.generation ^ 1), 0, 10)


def test_a_child_in_a_namespace_answers_and_raises(world: World) -> None:
    assert world.friend.ip in world.friend.call(_addresses)
    with pytest.raises(nfs4.NfsError, match="NOENT"):
        world.stranger.call(_lookup_open, world.segment.server6)


def _addresses() -> str:
    return ip("-br", "addr")


def _lookup_open(server: str) -> bytes:
    with nfs4.Client(server) as client:
        return client.lookup("/open")
