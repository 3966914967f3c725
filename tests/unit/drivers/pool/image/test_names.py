"""Names and mountinfo lines: pure."""

from pathlib import Path

import pytest

from roadstead.drivers.host import mounts
from roadstead.drivers.pool.image import layout
from roadstead.model.errors import BadRequest

ID = "0b2f9e52-93c5-4a58-9d9e-93b1a7a0a0aa"


def test_names_derive_from_ids_and_lead_back() -> None:
    names = layout.Layout("/p", "")
    assert names.share(ID) == Path(f"/p/pool/img/share-{ID}")
    assert names.snapshot(ID) == Path(f"/p/pool/img/snap-{ID}")
    assert names.point(ID) == Path(f"/p/mnt/{ID}")
    assert layout.Layout("/p", "/m").point(ID) == Path(f"/m/{ID}")
    assert layout.kind_and_id(names.share(ID).name) == ("share", ID)
    assert layout.kind_and_id(names.snapshot(ID).name) == ("snapshot", ID)
    temporary = layout.temporary(names.snapshot(ID))
    assert temporary.parent == names.images
    assert layout.made_as_temporary(temporary.name) == ("snapshot", ID)


@pytest.mark.parametrize(
    "name", ["", "share-", f"share-{ID}x", f"xshare-{ID}", f".share-{ID}", f"share-{'.' * 36}"]
)
def test_names_of_others_are_passed_over(name: str) -> None:
    assert layout.kind_and_id(name) is None
    assert layout.made_as_temporary(name) is None


@pytest.mark.parametrize("id_", ["", "..", f"../{ID}", f"{ID}/..", ID.upper(), f"{ID}\n"])
def test_no_id_leads_out_of_the_pool(id_: str) -> None:
    names = layout.Layout("/p", "")
    for path_of in (names.share, names.snapshot, names.point):
        with pytest.raises(BadRequest):
            path_of(id_)


def test_mountinfo() -> None:
    table = mounts.parse(
        "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
        "36 27 98:0 /a /m/with\\040space rw shared:7 master:1 - btrfs /dev/loop3 rw,subvol=/\n"
        "37 36 0:50 / /m/with\\040space rw master:1 - tmpfs a\\134b ro\n"
    )
    assert table["/"] == [
        mounts.Mount(27, 1, "/", "/", "ext4", "/dev/vda", read_only=False, shared=False)
    ]
    below, above = table["/m/with space"]
    assert (below.id, below.parent, below.root) == (36, 27, "/a")
    assert (below.source, below.shared) == ("/dev/loop3", True)
    assert (above.id, above.source, above.shared) == (37, "a\\b", False)
    assert (below.read_only, above.read_only) == (False, True)  # the filesystem, not the mount
