"""What every driver must do, as suites of tests for pytest: `pip install roadstead[conformance]`.

docs/drivers.md tells how to run them on a driver of your own.
"""

import pkgutil

import pytest

# A failed assert here tells both sides, as one in a test file does.
pytest.register_assert_rewrite(*(f"{__name__}.{m.name}" for m in pkgutil.iter_modules(__path__)))
