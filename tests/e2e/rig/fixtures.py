"""Pytest's fixtures for the end-to-end tests: a lab for one test."""

import pytest

from .lab import Lab


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Lets fixtures know whether the test itself failed."""
    report = yield
    if call.when == "call":
        item.failed = report.failed
    return report


@pytest.fixture
def lab(request):
    """Starts what a test asks for, and checks the invariants of every proxy once the test has passed."""
    with Lab() as made:
        yield made
        made.failed = getattr(request.node, "failed", True)
