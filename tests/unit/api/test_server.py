"""What the configuration becomes in the API process."""

import datetime
from pathlib import Path

from roadstead.config.load import load
from roadstead.model.quotas import DEFAULT_LIMITS
from roadstead.service.start import make_service

TEXT = """
default_share_type = "gold"
protocols = ["NFS", "CIFS"]
refuse_any_address = false
message_days = 3
[quota]
shares = 3
[projects.abc]
permitted_cidrs = ["10.0.0.0/8"]
[projects.def]
require_network_isolation = true
"""


def _service(directory: Path, text: str):
    file = directory / "roadstead.toml"
    file.write_text(text)
    return make_service(load(file, {}, state=directory))


def test_everything_configured_reaches_the_service(tmp_path):
    service = _service(tmp_path, TEXT)
    assert service.default_share_type == "gold"
    assert service.protocols == ("NFS", "CIFS")
    assert service.default_limits == {**DEFAULT_LIMITS, "shares": 3}
    assert service.permitted_cidrs == {"abc": ("10.0.0.0/8",)}
    assert service.isolated_projects == {"def"}
    assert not service.refuse_any_address
    assert service.keep_messages == datetime.timedelta(days=3)


def test_by_default_nobody_admits_everybody(tmp_path):
    service = _service(tmp_path, "")
    assert service.refuse_any_address
    assert service.default_limits == DEFAULT_LIMITS
