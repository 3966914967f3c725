"""The kernel's own NFS client: where this machine's kernel has none, the same tests in a guest
whose kernel has."""

import re

import pytest

from tests.lab.build import Image
from tests.lab.whole import WholeMachine

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.vm]


@pytest.mark.timeout(900)
def test_where_the_kernel_mounts_nfs(lab_image: Image) -> None:
    """H-I1, H-I6, H-I12, H-S3."""
    with WholeMachine(lab_image, modules=["nfsv4"], packages=["nfs-common"]) as machine:
        tests = "tests/unit/drivers/compute/test_nfs_kernel.py"
        done = machine.pytest("-q", tests, timeout=800)
    assert done.rc == 0, done.output
    # None was skipped.
    assert re.search(r"^\d+ passed in", done.output, re.MULTILINE), done.output
