"""Waiting for something to become true, with a deadline instead of a sleep."""

import time

PATIENCE = 30.0
"""Seconds until a wait gives up; far above what a busy two-core machine needs."""


def until(look, what, timeout=PATIENCE):
    """Calls `look` until it returns something true, and returns that; fails with `what` (and the last value) at the deadline."""
    end = time.monotonic() + timeout
    while True:
        value = look()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"gave up after {timeout} s waiting for: {what} (last: {value!r})")
        time.sleep(0.02)
