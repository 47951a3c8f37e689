"""The end-to-end tests take their fixtures from the rig."""

pytest_plugins = ["rig.fixtures"]
