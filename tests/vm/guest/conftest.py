"""What holds for all tests in here: they are of one kernel, and run only under that."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest

SERIES = os.environ.get("PAGEMAP_VM_SERIES", "")
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip outside of a guest; marked, so that pytest tells it once for each file."""
    for item in items:
        if not SERIES and item.path.is_relative_to(HERE):
            item.add_marker(
                pytest.mark.skip(reason="needs a guest of another kernel: make test-vm")
            )


@pytest.fixture(scope="session", autouse=True)
def series() -> str:
    """The kernel that was to be booted ("6.12"), which must be the one that runs."""
    assert platform.release().startswith(f"{SERIES}."), "this is not the kernel that was asked for"
    return SERIES
