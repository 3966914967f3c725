"""What the crash tests of several files share."""

from collections.abc import Generator

import pytest

from tests.crash.stage import Stage


@pytest.fixture(scope="module")
def stage(request: pytest.FixtureRequest) -> Generator[Stage]:
    """On SQLite; `STAGE` of the test module says what else it has."""
    with Stage("sqlite", **request.module.STAGE) as made:
        yield made
