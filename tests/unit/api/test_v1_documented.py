"""docs/api-v1.md names every route of our own with its rule, and no other."""

import re
from pathlib import Path

from roadstead.api.routes_v1 import ROUTES_V1

PAGE = Path(__file__).parents[3] / "docs/api-v1.md"


def test_every_route_is_in_the_table():
    rows = re.findall(r"^\| `([A-Z]+) (/\S+)` \| \w+ \| `(\S+)` \|$", PAGE.read_text(), re.M)
    assert rows == [(route.method, route.path, route.policy) for route in ROUTES_V1]
