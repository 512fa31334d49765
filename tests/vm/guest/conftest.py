"""What holds for all tests in here: they are of one kernel, and run only under that."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.vm.guest.dirty import stopped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.vm.guest.dirty import Dirty

SERIES = os.environ.get("PAGEMAP_VM_SERIES", "")
HERE = Path(__file__).parent


class Facts(NamedTuple):
    """What is known of a kernel, from its sources."""

    scan: bool
    write_tracking: bool
    mapping_query: bool


KNOWN = {
    "6.1": Facts(scan=False, write_tracking=False, mapping_query=False),
    "6.12": Facts(scan=True, write_tracking=True, mapping_query=True),
}


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


@pytest.fixture
def facts(series: str) -> Facts:
    """What this kernel has and lacks."""
    if series not in KNOWN:
        pytest.skip(f"nothing is written here of what Linux {series} has")
    return KNOWN[series]


@pytest.fixture
def dirty() -> Iterator[Dirty]:
    """A stopped process whose soft-dirty bits are known."""
    with stopped() as process:
        yield process
