"""The tests with real servers take their fixtures from the rig."""

import pytest

pytest_plugins = ["rig.fixtures"]
pytest.register_assert_rewrite("traffic")
