"""VLAN by the kernel's own 802.1q: where this machine's kernel has none, the same tests in a guest
whose kernel has."""

import re

import pytest

from tests.lab.build import Image
from tests.lab.whole import WholeMachine

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.vm]


@pytest.mark.timeout(900)
def test_where_the_kernel_tags_frames(lab_image: Image) -> None:
    """N-I2, N-I3, N-I8: apart, tagged, full frames, guarded, killed at every change."""
    with WholeMachine(lab_image) as machine:
        done = machine.pytest(
            "-q",
            "tests/unit/drivers/network",
            "tests/conformance/test_networks.py",
            "-k",
            "vlan and not flat and not OpenVSwitch and (kernel or TestSegments)",
            timeout=800,
        )
    assert done.rc == 0, done.output
    passed = re.search(r"^(\d+) passed, \d+ deselected", done.output, re.MULTILINE)
    assert passed is not None, done.output  # none was skipped
    assert int(passed[1]) >= 10
