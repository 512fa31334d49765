"""How many threads this process has, as the kernel counts them."""

from __future__ import annotations

import os
import time

SECONDS = 5


def count() -> int:
    return len(os.listdir("/proc/self/task"))


def settle(before: int) -> int:
    """How many there are once they are `before` again, or after a while if they never are.

    A thread that has told that it is done still needs a moment in the kernel to be gone.
    """
    deadline = time.monotonic() + SECONDS
    while (now := count()) != before and time.monotonic() < deadline:
        time.sleep(0.001)
    return now
