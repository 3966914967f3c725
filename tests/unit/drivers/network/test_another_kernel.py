"""VLAN by the kernel's own 802.1q: where this machine's kernel has none, the same tests in a guest
whose kernel has."""

import re

import pytest

from tests.lab.build import Image
from tests.lab.whole import WholeMachine

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.vm]
TESTS = ("guard", "interrupted", "isolation")  # those with `wiring`


@pytest.mark.timeout(900)
def test_where_the_kernel_tags_frames(lab_image: Image) -> None:
    """N-I2, N-I3, N-I8: apart, tagged, full frames, guarded, killed at every change."""
    with WholeMachine(lab_image) as machine:
        done = machine.pytest(
            "-q",
            *(f"tests/unit/drivers/network/test_{name}.py" for name in TESTS),
            "tests/conformance/test_networks.py",
            "-k",
            "vlan and not flat and not OpenVSwitch and (kernel or TestSegments)",
            timeout=800,
        )
    assert done.rc == 0, done.output
    passed = re.search(r"^(\d+) passed, \d+ deselected", done.output, re.MULTILINE)
    assert passed is not None, done.output  # none was skipped
    assert int(passed[1]) >= 10
