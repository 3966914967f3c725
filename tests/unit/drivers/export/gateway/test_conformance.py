"""A gateway does what every export server does, with a real filer behind it."""

import pytest

from roadstead.conformance.export_access import IpAccessConformance
from roadstead.conformance.exports import ExportConformance

pytestmark = [pytest.mark.conformance, pytest.mark.real]


class TestGateway(ExportConformance, IpAccessConformance):
    """`bench` is this directory's."""
