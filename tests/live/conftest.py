"""A stopped target of each kind, made once for each module of tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import userfault, workloads

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module", autouse=True)
def _injection(request: pytest.FixtureRequest) -> None:
    """Skip what has other processes open a userfaultfd, where no other may be made to call."""
    if request.path.name.startswith(("test_injection", "test_track_another")):
        try:
            userfault.need_injection()
        except workloads.Unavailable as reason:
            pytest.skip(str(reason))


# Of a module, not of the session: other modules change the same settings of the kernel.
@pytest.fixture(scope="module", params=workloads.KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """The name of each kind in turn."""
    name: str = request.param
    return name


# Python looks at each page and each mapping of these, and often: enough of them to tell.
SMALLER: dict[str, workloads.Maker] = {
    "many": lambda: workloads.many(6000),  # still more than one block of maps
    "sparse": lambda: workloads.sparse(1 << 30),
}


@pytest.fixture(scope="module")
def stopped(kind: str) -> Iterator[workloads.Target]:
    """A target of that kind, stopped: its page table rests. Skips where it cannot be made."""
    try:
        with (SMALLER.get(kind) or workloads.KINDS[kind])() as target:
            target.stop()
            yield target
    except workloads.Unavailable as reason:
        pytest.skip(str(reason))
