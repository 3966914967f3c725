"""Sort keys are names in the model and columns in the store: each list has both."""

from collections.abc import Collection

import pytest

from roadstead.model import queries
from roadstead.store import messages, security_services, share_networks, shares


@pytest.mark.parametrize(
    ("names", "columns"),
    [
        (queries.SHARE_SORT_KEYS, shares.SORT_COLUMNS),
        (queries.MESSAGE_SORT_KEYS, messages.SORT_COLUMNS),
        (queries.PLAIN_SORT_KEYS, share_networks.SORT_COLUMNS),
        (queries.PLAIN_SORT_KEYS, security_services.SORT_COLUMNS),
    ],
)
def test_every_sort_key_has_a_column(names: frozenset[str], columns: Collection[str]) -> None:
    assert names == set(columns)
    assert queries.Page().sort_key in names
