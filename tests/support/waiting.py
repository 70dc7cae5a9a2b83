"""Waiting for something to become true. No test sleeps for a fixed time as synchronisation."""

import time


class WaitTimeout(AssertionError):
    """The condition did not come true in time."""


def wait_until(condition, timeout=30.0, what="the condition", interval=0.05):
    """Polls `condition` until it returns something true, and returns that.

    An exception raised by the condition ends the wait at once: a condition that may fail for a
    while (a server that is starting) has to catch that itself.
    """
    deadline = time.monotonic() + timeout
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() >= deadline:
            raise WaitTimeout(f"timed out after {timeout:g} s waiting for {what}")
        time.sleep(interval)


def stays_true(condition, duration, what="the condition", interval=0.05):
    """Asserts that `condition` holds at every sample for `duration` seconds."""
    deadline = time.monotonic() + duration
    while time.monotonic() < deadline:
        assert condition(), f"{what} stopped being true"
        time.sleep(interval)
