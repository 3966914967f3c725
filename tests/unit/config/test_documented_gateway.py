"""What docs/roads/gateway.md tells operators to write is a configuration."""

import re
import textwrap
from pathlib import Path

from roadstead.agent.backends import make_backends
from roadstead.config import load as c
from roadstead.roads.registry import check

PAGE = Path(__file__).parents[3] / "docs/roads/gateway.md"


def test_the_example_is_whole(tmp_path):
    """API and agent would start with it; the filer itself is not asked."""
    example = re.search(r"^    \[network\]\n(?:    .*\n|\n)+", PAGE.read_text(), re.MULTILINE)
    assert example
    file = tmp_path / "roadstead.toml"
    file.write_text(textwrap.dedent(example[0]))
    config = c.load(file, {}, state=tmp_path)
    check(config)
    (backend,) = make_backends(config).values()
    assert backend.servers.passes_on
    assert [str(leg.cidr) for leg in backend.servers.legs(())] == [
        "172.30.0.0/24",
        "fd30::/64",
    ]
    assert config.backends["nas"].filer.mount == "172.30.0.2:/admin"
    assert config.network.options["physical_networks"] == {"storage": "eth2"}
