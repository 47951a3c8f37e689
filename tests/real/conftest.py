"""The tests with real servers take their fixtures from the rig."""

pytest_plugins = ["rig.fixtures"]
